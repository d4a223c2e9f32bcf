#!/usr/bin/env bash
# Measures, after setting up whatever is missing.
#
#   ./launch/benchmark.sh throughput [flags]  training beside stepping alone, and where time and memory go
#   ./launch/benchmark.sh systems [flags]     the schedules against number of environments and step times
#   ./launch/benchmark.sh scaling [flags]     speed and memory against environments, executors, actors
#   ./launch/benchmark.sh pipeline [flags]    the pipeline by itself: environment and network cost nothing
#   ./launch/benchmark.sh profile [flags]     where a role of a training spends its time
#   ./launch/benchmark.sh formats [flags]     a policy in each format that it is exported to
#
# `./launch/benchmark.sh NAME --help` lists the flags.
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"
names=(throughput systems scaling pipeline profile formats)
module=
for name in "${names[@]}"; do
  [[ $name != "${1-}" ]] || module=hts_tf.benchmarks.$name
done
if [[ ${1-} == --help ]]; then
  usage
  exit
elif [[ ! $module ]]; then
  printf 'error: no benchmark %q; there are:%s\n' "${1-}" "$(printf ' %s' "${names[@]}")" >&2
  exit 2
fi
extras=()
[[ $1 != formats ]] || extras=(--extras=onnx)
set_up "${extras[@]}"
# Signals: as in train.sh.
exec env --block-signal=INT,TERM "$root/.venv/bin/python" -m "$module" "${@:2}"
