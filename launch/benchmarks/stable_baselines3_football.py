"""Our Gymnasium football beside stock gfootball, for another framework: Stable-Baselines3's PPO.

  .venv/bin/python launch/benchmarks/stable_baselines3_football.py --scenario=...

The two alternate, so that a machine that is slower for a while is so for both. What is counted:
  stepping: one process steps one environment with random actions, resets included, from its first
    reset on, per second of processor time; stock gfootball is called through its own wrappers (and
    a method that hands on).
  training: `stable_baselines3_ppo.py`, the median over its iterations (rollout and update).

Both have the same engine, that of launch/setup.sh. Stable-Baselines3 is installed by
`stable_baselines3_venv.py`.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import stable_baselines3_venv
from absl import app, flags

_SCENARIO = flags.DEFINE_string("scenario", "academy_3_vs_1_with_keeper", "of gfootball")
_REPEATS = flags.DEFINE_integer("repeats", 3, "of each pair", lower_bound=1)
_SECONDS = flags.DEFINE_float(
    "seconds", 20.0, "of processor time, of stepping, each time", lower_bound=0.1
)
_ENV_STEPS = flags.DEFINE_integer("env_steps", 14_336, "of each training", lower_bound=6_144)

_FOOTBALLS = ("hts_tf", "gfootball")
_HERE = Path(__file__).resolve()


def run(python: str, *arguments: object) -> str:
    """Returns what a script printed; ends with what it complained of if it failed."""
    environment = {**os.environ, **stable_baselines3_venv.ENVIRONMENT}
    command = [python, *map(str, arguments)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        sys.exit(process.stderr)
    return process.stdout


def step(football: str, scenario: str, seconds: float) -> float:
    """Returns env steps per second of processor time of one environment, in this process."""
    from stable_baselines3_ppo import make

    environment = make(scenario, football)
    environment.reset()
    actions = np.random.default_rng(0).integers(environment.action_space.n, size=10_000)
    env_steps = 0
    start = now = time.process_time()
    while now - start < seconds:
        *_, terminated, truncated, _ = environment.step(actions[env_steps % len(actions)])
        if terminated or truncated:
            environment.reset()
        env_steps += 1
        now = time.process_time()
    return env_steps / (now - start)


def main(argv: list[str]) -> None:
    """Measures both in turns, and prints env steps per second and ratios."""
    if len(argv) > 1:  # a child of this
        print("SPS", step(argv[1], _SCENARIO.value, _SECONDS.value))
        return
    python = stable_baselines3_venv.set_up()
    flag_values = f"--scenario={_SCENARIO.value}", f"--seconds={_SECONDS.value}"
    ppo = _HERE.with_name("stable_baselines3_ppo.py"), _SCENARIO.value, _ENV_STEPS.value
    measures = {
        "stepping": lambda football: re.findall(
            r"^SPS (\S+)", run(python, _HERE, football, *flag_values), re.MULTILINE
        ),
        "training": lambda football: re.findall(r" (\d+) SPS", run(python, *ppo, football)),
    }
    for name, measure in measures.items():
        ratios = []
        for _ in range(_REPEATS.value):
            ours, stock = (median(map(float, measure(football))) for football in _FOOTBALLS)
            ratios.append(ours / stock)
            print(
                f"{_SCENARIO.value} {name}: hts_tf {ours:,.0f} SPS, gfootball {stock:,.0f} SPS, "
                f"ratio {ratios[-1]:.2f}",
                flush=True,
            )
        print(f"{_SCENARIO.value} {name}: median ratio {median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    app.run(main)
