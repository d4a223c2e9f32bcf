#!/usr/bin/env bash
# Four machines of a Slurm cluster; explained in docs/cluster.md, "Slurm". In the checkout, on a file
# system that all nodes share, after ./launch/setup.sh --extras=cluster on one of them:
#
#   sbatch launch/cluster/slurm.sh [SCENARIO] [flags for hts_tf.train]
#
# The same command goes on with the run, on any number of nodes: sbatch --nodes=2 ...
#SBATCH --job-name=hts_tf
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
# Ray takes its usual ports, and its end is `ray stop`, which ends all of yours on a node.
#SBATCH --exclusive
# A node that fails does not end the job: the run goes on without it.
#SBATCH --no-kill
# One kind of processor; the names are your cluster's.
##SBATCH --constraint=genoa
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?to be run by sbatch}"
export PATH="$PWD/.venv/bin:$PATH"

# A token of this job's, which its user alone can read.
RAY_AUTH_TOKEN_PATH=$(mktemp "$PWD/.ray_token.XXXXXX")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT
python -c 'import secrets; print(secrets.token_hex(32))' >"$RAY_AUTH_TOKEN_PATH"
export RAY_AUTH_TOKEN_PATH RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

# The first node's address: of IPv4, and not 127.*, which by Debian's /etc/hosts a name's own may
# be, and which no other node can reach.
read -r first < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=
for which in --ip-address --all-ip-addresses; do
  for found in $(srun --nodes=1 --ntasks=1 --nodelist="$first" hostname "$which"); do
    [[ $address || $found == *:* || $found == 127.* ]] || address=$found
  done
  [[ ! $address ]] || break
done
[[ $address ]] || { echo "error: $first has no IPv4 address that others can reach" >&2; exit 1; }

# Starts Ray on all nodes, the training on the first one, and at its end stops Ray.
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300  # seconds; Python is slow to start from afar
srun --no-kill --kill-on-bad-exit=0 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  ray symmetric-run --address="$address:6379" --min-nodes="$SLURM_JOB_NUM_NODES" \
  --num-cpus="$SLURM_CPUS_PER_TASK" \
  -- ./launch/cluster.sh "$@" \
  --ray_address="$address:6379" --num_machines="$SLURM_JOB_NUM_NODES"
