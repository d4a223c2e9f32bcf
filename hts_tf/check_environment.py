"""Command line: says whether results on an environment will repeat, and how fast `hts` will be.

Plays some episodes with random actions, as a training would, without TensorFlow.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags

from hts_tf import config, errors, seeding, specs, trees
from hts_tf.environments import base, history
from hts_tf.environments.random_episodes import Played
from hts_tf.schedules import interval_times
from hts_tf.system import command, processors

_SCENARIO = flags.DEFINE_string(
    "scenario", "academy_empty_goal_close", "scenario to check, as hts_tf.train takes it"
)
_GIN_FILES = flags.DEFINE_multi_string("gin_files", [], "further gin files")
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further gin bindings")
_SEED = flags.DEFINE_integer(
    "seed", 0, "random seed that selects the episodes and their actions", lower_bound=0
)
_EPISODES = flags.DEFINE_integer(
    "episodes",
    3,
    "number of episodes to play in all ways; of several tasks, at least one of each",
    lower_bound=1,
)
_STEPS = flags.DEFINE_integer(
    "steps", 1000, "number of env steps after which longer episodes are broken off", lower_bound=1
)
_ENVS = flags.DEFINE_integer(
    "envs",
    16,
    "number of environments stepped at once, for the forecast",
    lower_bound=1,
    upper_bound=8191,  # as Trainer.num_envs
)
_SYNC_INTERVAL = flags.DEFINE_integer(
    "sync_interval",
    128,
    "number of env steps of an interval, for the forecast",
    lower_bound=1,
    upper_bound=10_000,  # of so many environments the forecast takes gigabytes
)
_LEARNING_SEC = flags.DEFINE_float(
    "learning_sec",
    0.0,
    "seconds that an update takes, for the forecast; 0: not known",
    lower_bound=0.0,
)


def check() -> None:
    """Checks.

    Raises:
      ConfigError: there is no such environment, or a binding cannot be used.
      ProtocolError: it breaks a rule.
      RunError: it fails in another process, or results will not repeat.
    """
    environment = config.environment_for(_SCENARIO.value, _GIN_FILES.value, _GIN_BINDINGS.value)
    print("\n".join(describe(environment)), flush=True)
    if isinstance(environment, base.Checkable):
        for complaint in environment.check() or ["nothing to complain of"]:
            print(f"its own checker: {complaint}")
    tasks = environment.spec.num_tasks
    seeds = [
        seeding.episode_seed(_SEED.value, 0, number, task=number % tasks, num_tasks=tasks)
        for number in range(max(_EPISODES.value, tasks))
    ]
    findings = history.find_out(environment, seeds, _STEPS.value)
    print("\n" + "\n".join(compared(findings)))
    print("\n" + "\n".join(timed(findings.played)))
    print(
        "\n"
        + "\n".join(
            forecast(
                step_times(findings.played), _ENVS.value, _SYNC_INTERVAL.value, _LEARNING_SEC.value
            )
        )
    )
    if findings.differences:
        raise errors.RunError(
            "episodes are not free of history, so results will not repeat; to train all the same, "
            "let the environment's spec say history_free=False (Gymnasium.history_free = False)",
            page="your_own_environment.md#what-it-may-not-do",
        )
    if not environment.spec.history_free:
        raise errors.RunError(
            "results will not repeat, as the environment's spec says history_free=False; nothing "
            "of it was seen here",
            page="your_own_environment.md#what-it-may-not-do",
        )


def describe(environment: base.EnvironmentConfig) -> Iterator[str]:
    """Yields what an environment is, line by line."""
    spec = environment.spec
    yield type(environment).__name__
    for name, leaf in trees.named(spec.observation, "observation"):
        yield f"  {name}: {_kind(leaf)}"
    yield f"  action: {_kind(spec.action)}"
    yield f"  episodes: at most {spec.max_episode_steps:,} env steps"


def _kind(spec: specs.ArraySpec) -> str:
    array = f"{spec.dtype} {list(spec.shape)}"
    if isinstance(spec, specs.DiscreteSpec):
        return f"{array}, one of {spec.num_values} values"
    if isinstance(spec, specs.MultiDiscreteSpec):
        return f"{array}, each one of {', '.join(map(str, spec.num_values))} values"
    if isinstance(spec, specs.BoxSpec):
        how = {"clip": "clipped to", "tanh": "by tanh within"}[spec.bounded_by]
        return f"{array}, {how} {min(spec.low):g} to {max(spec.high):g}"
    if isinstance(spec, specs.PixelMapSpec):
        return f"{array}, pixels of an image {list(spec.dense_shape)}"
    return array


def compared(findings: history.Findings) -> Iterator[str]:
    """Yields in which ways episodes were the same to the bit, line by line."""
    episodes = findings.played[: len(findings.played) // 2]
    steps = sum(len(episode.actions) for episode in episodes)
    yield f"episodes played again ({len(episodes)}, {steps:,} env steps):"
    differences = {difference.way: difference for difference in findings.differences}
    for way in history.WAYS:
        found = differences.get(way)
        if found is None:
            yield f"  {way}: the same to the bit"
            continue
        where = "its reset" if found.step is None else f"env step {found.step}"
        episode = f"episode {found.episode} (seed {episodes[found.episode].seed})"
        yield f"  {way}: {episode} differs from {where} on, first in {found.array}"
    if not findings.seeds_matter:
        yield "  note: with the same actions, another seed made for the same episode"


def timed(played: Sequence[Played]) -> Iterator[str]:
    """Yields how long env steps and resets took, line by line."""
    columns = ("mean", "median", "99 %", "variation")
    yield f"{'milliseconds':14}" + "".join(f"{name:>12}" for name in columns)
    for name, seconds in [
        ("env step", [sec for episode in played for sec in episode.seconds[1:]]),
        # The first one may build what the others have.
        ("reset", [episode.seconds[0] for episode in played[1:]]),
    ]:
        mean = np.mean(seconds)
        numbers = 1e3 * np.array([mean, np.median(seconds), np.quantile(seconds, 0.99)])
        yield (
            f"{name:14}"
            + "".join(f"{number:12.3f}" for number in numbers)
            + f"{np.std(seconds) / mean:12.2f}"
        )
    yield "variation: standard deviation over mean; in one environment, without its first reset"


def step_times(played: Sequence[Played]) -> np.ndarray:
    """Returns how long each env step took, in seconds, the reset after an episode's end included.

    Args:
      played: in one environment, one after the other.
    """
    seconds = [np.array(episode.seconds[1:]) for episode in played]
    for number, episode in enumerate(played[:-1]):
        if episode.has_ended:
            seconds[number][-1] += played[number + 1].seconds[0]
    return np.concatenate(seconds)


def forecast(
    seconds: np.ndarray, num_envs: int, sync_interval: int, learning_sec: float
) -> Iterator[str]:
    """Yields how much faster `hts` is to be expected than `sync`, line by line.

    Args:
      seconds: of env steps, see `step_times`.
      num_envs: stepped at once.
      sync_interval: env steps of an interval.
      learning_sec: that an update takes; 0 if it is not known.
    """
    cores = min(num_envs, processors.usable_cores())
    yield f"expected of {num_envs} environments, in intervals of {sync_interval} env steps:"
    for executors in sorted({num_envs, cores}, reverse=True):
        each = math.ceil(num_envs / executors)

        def draw(random: np.random.Generator, size: tuple[int, ...], n: int = each) -> np.ndarray:
            # One environment after the other: of all at once the draws would take gigabytes.
            return sum(random.choice(seconds, size) for _ in range(n))

        hts, sync = (
            interval_times.expected_sec(schedule, draw, executors, sync_interval, 200)
            for schedule in ("hts", "sync")
        )
        hts, sync = max(hts, learning_sec), sync + learning_sec
        here = ", as many as there are cores here" if executors == cores else ""
        yield (
            f"  {executors} executors{here}: hts {hts:.3g} s, sync {sync:.3g} s: "
            f"hts is {sync / hts:.2f} times as fast"
        )
    yield "assumed: env steps, with the resets after them, take what they took here, each as likely"
    yield "as another and independent of others; executors step one environment at a time, and have"
    yield "a core each; " + (
        f"an update takes {learning_sec:g} s, in hts meanwhile, in sync afterwards"
        if learning_sec
        else "learning takes no time (see --learning_sec; in hts it goes on meanwhile)"
    )
    yield "left out: policy and hand-over, which decide where env steps take well under 1 ms, and"
    yield "that they and the learner need cores, too"


if __name__ == "__main__":
    command.run(check)
