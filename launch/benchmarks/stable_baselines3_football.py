"""Our Gymnasium football beside stock gfootball, for another framework: Stable-Baselines3's PPO.

  .venv/bin/python launch/benchmarks/stable_baselines3_football.py --scenario=...

The two alternate, so that a machine that is slower for a while is so for both. What is counted:
  stepping: one process steps one environment with random actions, resets included, from its first
    reset on, per second of processor time; stock gfootball is called through its own wrappers (and
    a method that hands on).
  training: `stable_baselines3_ppo.py`, the median over its iterations (rollout and update).

Both have the same engine, that of launch/setup.sh. torch and Stable-Baselines3 are installed into a
virtual environment of their own (5 GB, as PyPI's torch brings CUDA) in ~/.cache/hts_tf, which also
sees what is installed in the one that runs this; they are never installed there.
"""

import os
import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median

import numpy as np
from absl import app, flags

_SCENARIO = flags.DEFINE_string("scenario", "academy_3_vs_1_with_keeper", "of gfootball")
_REPEATS = flags.DEFINE_integer("repeats", 3, "of each pair", lower_bound=1)
_SECONDS = flags.DEFINE_float(
    "seconds", 20.0, "of processor time, of stepping, each time", lower_bound=0.1
)
_ENV_STEPS = flags.DEFINE_integer("env_steps", 14_336, "of each training", lower_bound=6_144)

_FOOTBALLS = ("hts_tf", "gfootball")
_HERE = Path(__file__).resolve()
_VENV = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "hts_tf/stable_baselines3"


def set_up() -> str:
    """Makes the virtual environment, unless it is complete; returns its interpreter."""
    python, stamp = str(_VENV / "bin/python"), _VENV / "complete"
    site_packages = sysconfig.get_path("purelib")
    if not stamp.exists() or stamp.read_text() != site_packages:
        subprocess.run([sys.executable, "-m", "venv", "--clear", _VENV], check=True)
        [own] = _VENV.glob("lib/python*/site-packages")
        # But not TensorFlow: TensorBoard would import it, and torch's Triton crashes beside it.
        hide = "import sys; sys.modules['tensorflow'] = None"
        (own / "hts_tf_venv.pth").write_text(f"{site_packages}\n{hide}\n")
        subprocess.run([python, "-m", "pip", "install", "torch", "stable-baselines3"], check=True)
        stamp.write_text(site_packages)
    return python


def run(python: str, *arguments: object) -> str:
    """Returns what a script printed; ends with what it complained of if it failed."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(_HERE.parents[2])}
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
    python = set_up()
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
