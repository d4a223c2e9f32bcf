#!/usr/bin/env bash
# Trains on a scenario of football or an environment of Gymnasium, after setting up what is missing.
#
#   ./launch/train.sh [SCENARIO] [flags for hts_tf.train]
#   ./launch/train.sh academy_3_vs_1_with_keeper --seed=1
#   ./launch/train.sh ALE/Pong-v5
#
# Results go to runs/SCENARIO-METHOD-seedSEED unless --workdir says otherwise.
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
# shellcheck source=launch/usage.sh
source "$root/launch/usage.sh"

# flag NAME DEFAULT [ARGUMENT...]: the value of --NAME=VALUE or --NAME VALUE, with one dash or two;
# the last one counts.
flag() {
  local name=$1 value=$2
  shift 2
  while (($#)); do
    case $1 in
      --"$name"=* | -"$name"=*) value=${1#*=} ;;
      --"$name" | -"$name") value=${2-} ;;
    esac
    shift
  done
  printf '%s\n' "$value"
}

if (($#)) && [[ $1 != -* ]]; then
  set -- --scenario="$1" "${@:2}"
fi
scenario=$(flag scenario academy_empty_goal_close "$@")
method=$(flag method hts_ppo "$@")
seed=$(flag seed 0 "$@")
workdir=$(flag workdir "$root/runs/${scenario//[\/:]/-}-$method-seed$seed" "$@")

# extra SCENARIO: what an environment of Gymnasium needs to be installed; nothing for others.
extra() {
  local id=${1#gymnasium:}
  case $id in
    pettingzoo:*) echo pettingzoo ;;
    ALE/* | *NoFrameskip-v[0-9] | ale_py:*) echo atari ;;
    Ant-v* | HalfCheetah-v* | Hopper-v* | Humanoid-v* | HumanoidStandup-v* | Inverted*Pendulum-v* | \
      Pusher-v* | Reacher-v* | Swimmer-v* | Walker2d-v*) echo mujoco ;;
    LunarLander-v* | LunarLanderContinuous-v* | BipedalWalker-v* | BipedalWalkerHardcore-v* | CarRacing-v*)
      echo box2d ;;
    *:* | *-v[0-9]*) echo gymnasium ;;
  esac
}

extras=$(extra "$scenario")
machines=$(flag num_machines 1 "$@")
if [[ $machines == [1-9]* && $machines != 1 ]]; then
  extras+=${extras:+,}cluster
fi
set_up ${extras:+"--extras=$extras"}

# Until it knows what to do with them, Python must not get signals: it would show where it stood.
exec env --block-signal=INT,TERM "$root/.venv/bin/python" \
  -m hts_tf.train --scenario="$scenario" --workdir="$workdir" "$@"
