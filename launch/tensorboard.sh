#!/usr/bin/env bash
# Shows the runs in TensorBoard, after setting up whatever is missing.
#
#   ./launch/tensorboard.sh [LOGDIR] [flags for tensorboard]
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"
set_up

logdir=$root/runs
if (($#)) && [[ $1 != -* ]]; then
  logdir=$1
  shift
fi
exec "$root/.venv/bin/python" -m tensorboard.main --logdir="$logdir" "$@"
