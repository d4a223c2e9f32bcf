#!/usr/bin/env bash
# Trains on several machines, after setting up what is missing: train.sh with two further defaults.
#
#   ./launch/cluster.sh [SCENARIO] [flags for hts_tf.train]
#   ./launch/cluster.sh academy_corner --num_machines=4
#   RAY_ADDRESS=10.0.0.1:6379 RAY_AUTH_MODE=token ./launch/cluster.sh academy_corner
#
# --num_machines=2: processes of this machine; or, where RAY_ADDRESS or --ray_address names a Ray
# cluster that this machine is a part of, machines of that. It has no influence on results: the same
# command with another number goes on with the same run.
#
# Trainer.num_shards = 4 (gin_configs/cluster.gin): this one results do depend on, so it is not taken
# from the number of machines. It says how many machines there can be at most; for more, bind it.
# One that you bind, with --gin_bindings or in a file of --gin_files, has the last word.
#
# See docs/cluster.md.
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"
scenario=()
if (($#)) && [[ $1 != -* ]]; then
  scenario=("$1")
  shift
fi
exec "$root/launch/train.sh" "${scenario[@]}" \
  --num_machines=2 --gin_files="$root/gin_configs/cluster.gin" "$@"
