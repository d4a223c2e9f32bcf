#!/usr/bin/env bash
# Shows the runs in TensorBoard, after setting up whatever is missing.
#
#   ./launch/tensorboard.sh [LOGDIR] [flags for tensorboard]
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"
set_up

logdir=$root/runs
if (($#)) && [[ $1 != -* ]]; then
  logdir=$1
  shift
fi
exec "$root/.venv/bin/python" -m tensorboard.main --logdir="$logdir" "$@"
