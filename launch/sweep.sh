#!/usr/bin/env bash
# Searches settings by trials, after setting up whatever is missing. The same command goes on where it
# was interrupted.
#
#   ./launch/sweep.sh --scenarios=NAME --search="PPO.entropy_cost = log(0.0005, 0.02)" --trials=30 --output=DIR
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"
set_up --extras=sweep
# Signals: as in train.sh.
exec env --block-signal=INT,TERM "$root/.venv/bin/python" -m hts_tf.sweep "$@"
