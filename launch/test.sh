#!/usr/bin/env bash
# Runs the linter and the tests, after setting up whatever is missing.
#
#   ./launch/test.sh [pytest arguments]
#   ./launch/test.sh tests/test_doctor.py -k memory
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
cd -- "$root"
# shellcheck source=launch/usage.sh
source launch/usage.sh
set_up --extras=gymnasium,atari,mujoco,box2d,pettingzoo,cluster,sweep,onnx,trackers,docs
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
unset PYTHONDONTWRITEBYTECODE  # each of the many processes would compile all of hts_tf
# Three files of tests at a time on two cores: some wait, for timeouts and for machines that begin.
exec .venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder "$@"
