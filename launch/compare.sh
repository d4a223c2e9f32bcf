#!/usr/bin/env bash
# Trains by several methods on several scenarios, one run after the other, after setting up whatever
# is missing. The same command goes on where it was interrupted.
#
#   ./launch/compare.sh --scenarios=NAME,... --methods=NAME,... --seeds=0,1 --minutes=30 --output=DIR
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"
set_up
# Signals: as in train.sh.
exec env --block-signal=INT,TERM "$root/.venv/bin/python" -m hts_tf.compare "$@"
