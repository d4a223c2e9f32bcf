"""Our trainings beside Stable-Baselines3's PPO with `SubprocVecEnv`, on environments of Gymnasium.

  .venv/bin/python launch/benchmarks/stable_baselines3_gymnasium.py --scenario=ALE/Pong-v5

Each has 16 environments and hyperparameters of its own: ours are those of the preset, with
fingerprints, archive and checkpoints as in any training; for theirs see
`stable_baselines3_trainer.py`. Environments and their wrappers are the same. All trainings
alternate, so that a machine that is slower for a while is so for all. What is counted:
  env steps per second: from the end of the first rollout, while nothing is learnt yet, to the first
    end of a rollout at or after --env_steps; wall time.
  minutes to --score: from launch to the first end of a rollout at which the last 100 episodes
    average so much, as the preset's rewards are before (ours) or after (theirs) wrappers, which on
    Pong is the same.

Scenarios are ids of Gymnasium and `uneven`: CartPole whose env steps sleep, 10 ms on average and
exponentially distributed. There, each environment has an executor of its own, as in a
`SubprocVecEnv` each has a process.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

import stable_baselines3_venv
from absl import flags

from hts_tf import errors
from hts_tf.benchmarks import training_run
from hts_tf.files.curves import RunLog, least
from hts_tf.files.episodes import WINDOW
from hts_tf.system import command
from hts_tf.system.child import Child, ChildError

_SCENARIO = flags.DEFINE_string("scenario", "ALE/Pong-v5", "one of the benchmark's, see above")
_REPEATS = flags.DEFINE_integer("repeats", 3, "of each training", lower_bound=1)
_ENV_STEPS = flags.DEFINE_integer("env_steps", 50_000, "to count, at least", lower_bound=1)
_SCORE = flags.DEFINE_float("score", None, "to train on for; default: only the env steps")
_MINUTES = flags.DEFINE_float("minutes", 60.0, "the most for --score, of each", lower_bound=0.0)

_POLL_SEC = 0.1
_PEER = "stable-baselines3 "  # before the name of its settings


class Case(NamedTuple):
    """What is compared.

    Attributes:
      scenario: of ours.
      bindings: of gin, for ours; the peer takes those of the environment.
      trainings: our methods, and the peer's settings after `_PEER`; ratios are of the first one.
    """

    scenario: str
    bindings: list[str]
    trainings: list[str]


_CHEETAH = [f"{_PEER}HalfCheetah-v4", f"{_PEER}mujoco-defaults"]
_UNEVEN = [
    "import uneven_cart_pole",
    "Gymnasium.id = 'uneven_cart_pole:UnevenCartPole-v0'",
    "Trainer.num_envs = 16",
    "Trainer.num_executors = 16",
    "PPO.num_minibatches = 2",  # of 256, as with 8 environments
]
_CASES = {
    "ALE/Pong-v5": Case("ALE/Pong-v5", [], ["hts_ppo", f"{_PEER}atari"]),
    "HalfCheetah-v5": Case("HalfCheetah-v5", [], ["hts_ppo", *_CHEETAH]),
    "uneven": Case("CartPole-v1", _UNEVEN, ["hts_ppo", "ppo", f"{_PEER}CartPole-v1"]),
}


class Point(NamedTuple):
    """The end of a rollout.

    Attributes:
      env_steps: made so far.
      seconds: since launch.
      score: mean of the last episodes, at most `WINDOW`; None before there is any.
      episodes: finished so far, or `WINDOW` for more.
    """

    env_steps: int
    seconds: float
    score: float | None
    episodes: int


class Result(NamedTuple):
    """What was measured of a training.

    Attributes:
      sps: env steps per second.
      minutes: to the score; None if it was not reached.
    """

    sps: float
    minutes: float | None


def ours(case: Case, method: str, seed: int) -> Iterator[Point]:
    """Yields the sync points of a training of ours."""
    with training_run.start(case.scenario, seed, case.bindings, method) as training:
        log, seen, is_over = RunLog(training.workdir), 0, False
        while not is_over:
            is_over = training.has_ended()
            log.read()
            series = [log.series.get(f"episodes/{name}", {}) for name in ("score", "finished")]
            new = list(log.series.get("run/minutes", {}).items())[seen:]
            for env_steps, minutes in new:
                score, finished = (points.get(env_steps) for points in series)
                yield Point(env_steps, 60 * minutes, score, int(finished or 0))
            seen += len(new)
            time.sleep(_POLL_SEC)


def theirs(case: Case, settings: str, seed: int) -> Iterator[Point]:
    """Yields the ends of rollouts of a training of Stable-Baselines3."""
    task = {
        "settings": settings,
        "scenario": case.scenario,
        "bindings": case.bindings,
        "seed": seed,
    }
    python = stable_baselines3_venv.set_up()
    start = time.monotonic()
    with Child("stable_baselines3_trainer", [json.dumps(task)], python=python) as child:
        while (line := child.hear()) != "end":
            env_steps, score, episodes = json.loads(line)
            yield Point(env_steps, time.monotonic() - start, score, episodes)


def measure(case: Case, training: str, seed: int) -> Result:
    """Trains as long as the flags say.

    Raises:
      ChildError: the training failed, or was over before all env steps were counted.
    """
    rollouts = theirs if training.startswith(_PEER) else ours
    first = last = reached = None
    with contextlib.closing(rollouts(case, training.removeprefix(_PEER), seed)) as points:
        for point in points:
            if first is None:
                first = point
                continue
            if last is None or last.env_steps < _ENV_STEPS.value:
                last = point
            if reached is None and has_reached(point, _SCORE.value):
                reached = point
            goes_on = reached is None and point.seconds < 60 * _MINUTES.value
            if point.env_steps >= _ENV_STEPS.value and not (_SCORE.value is not None and goes_on):
                break
    if last is None or last.env_steps < _ENV_STEPS.value:
        raise ChildError(f"{training} was over before all env steps were counted", 1)
    sps = (last.env_steps - first.env_steps) / (last.seconds - first.seconds)
    return Result(sps, reached and reached.seconds / 60)


def has_reached(point: Point, score: float | None) -> bool:
    """Returns whether so many episodes as it takes average the score; None is never reached."""
    is_known = score is not None and point.score is not None and point.episodes >= WINDOW
    return is_known and point.score >= least(score)


def describe(training: str, result: Result) -> str:
    """Returns a result in a few words."""
    text = f"{training} {result.sps:,.0f} SPS"
    if _SCORE.value is None:
        return text
    when = f"{result.minutes:.1f}" if result.minutes else f"more than {_MINUTES.value:g}"
    return f"{text}, {when} minutes to {_SCORE.value:g}"


def benchmark() -> None:
    """Measures all trainings in turns, and prints env steps per second, minutes and ratios.

    Raises:
      ConfigError: the scenario is none of the benchmark's.
      ChildError: a training failed.
    """
    name = _SCENARIO.value
    if name not in _CASES:
        raise errors.ConfigError(f"unknown --scenario={name}; {errors.nearest(name, _CASES)}")
    case = _CASES[name]
    os.environ.update(stable_baselines3_venv.ENVIRONMENT)  # for all children
    stable_baselines3_venv.set_up()
    results: dict[str, list[Result]] = {training: [] for training in case.trainings}
    for repeat in range(_REPEATS.value):
        for training, so_far in results.items():
            so_far.append(measure(case, training, repeat))
            text = describe(training, so_far[-1])
            print(f"{name} {repeat + 1} of {_REPEATS.value}: {text}", flush=True)
    ours_first, *others = case.trainings
    for other in others:
        pairs = list(zip(results[ours_first], results[other], strict=True))
        ratio = median(a.sps / b.sps for a, b in pairs)
        text = f"{name}: {ours_first} / {other}: SPS {ratio:.2f}"
        if all(a.minutes and b.minutes for a, b in pairs):
            text += f", minutes {median(a.minutes / b.minutes for a, b in pairs):.2f}"
        print(f"{text} (medians of {len(pairs)})", flush=True)


def main() -> None:
    """Entry point."""
    command.run(benchmark)


if __name__ == "__main__":
    main()
