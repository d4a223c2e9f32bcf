"""Command line: how fast the schedules are, and whether their sync points cost what they should.

Every figure is of a real training (`hts_tf.train`), watched by its event file, in two sweeps:
  num_envs: env steps per second of `hts` (method hts_ppo), `sync` (ppo) and `async` (impala)
    against the number of environments, on each scenario; on the synthetic environment with even,
    uneven and heavy-tailed step times.
  variance: `hts` and `sync` on the synthetic environment, against the variance of its step time at
    the same mean.
On the synthetic environment steps are slept, each environment has an executor of its own, and the
network is tiny: a few cores do for many, as an interval's length is almost only that of its steps.
It is compared with what `interval_times` says. On a football scenario everything is as in a
training, so that executors share the cores, but for checkpoints, fingerprints and archive.

What exactly is counted: whole intervals (of `async`: updates), from one sync point to the next,
with all that happens between them; but not the first, nor the second of `hts`: in these, functions
are compiled.
"""

import itertools
import time
from collections.abc import Iterator
from statistics import mean, stdev
from typing import NamedTuple

from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import errors
from hts_tf.benchmarks import options, training_run
from hts_tf.environments import synthetic
from hts_tf.environments.football import football
from hts_tf.schedules import interval_times
from hts_tf.system import command, processors, terminal

_SCENARIOS = flags.DEFINE_list(
    "scenarios",
    ["synthetic", "academy_empty_goal_close"],
    "'synthetic', or scenarios of gfootball, separated by commas",
)
_NUM_ENVS = flags.DEFINE_list(
    "num_envs", ["4", "8", "16", "32"], "numbers of environments, separated by commas"
)
_STEP_TIMES = flags.DEFINE_list(
    "step_times",
    ["constant", "exponential", "pareto"],
    "distributions of the synthetic environment's step times; 'gamma' with its shape after a colon",
)
_VARIANCE_STEP_TIMES = flags.DEFINE_list(
    "variance_step_times",
    ["constant", "gamma:4", "exponential", "gamma:0.5", "gamma:0.25"],
    "the same, of the sweep over the variance of step times",
)
_VARIANCE_NUM_ENVS = flags.DEFINE_integer(
    "variance_num_envs", 16, "number of environments in the sweep over the variance", lower_bound=1
)
_MEAN_STEP_SEC = flags.DEFINE_float(
    "mean_step_sec", 0.1, "mean seconds of the synthetic environment's steps", lower_bound=1e-6
)
_SYNC_INTERVAL = flags.DEFINE_integer(
    "sync_interval",
    32,
    "env steps between sync points (alpha) on the synthetic environment",
    lower_bound=1,
)
_SECONDS = flags.DEFINE_float(
    "seconds", 10.0, "seconds in which intervals are counted, at least", lower_bound=0.0
)
_OUTPUT = flags.DEFINE_string("output", None, "CSV file of the figures")

_METHODS = {"hts": "hts_ppo", "sync": "ppo", "async": "impala"}
_SYNTHETIC = "synthetic"
_EPISODE_STEPS = 400  # of the synthetic environment: as in football, resets are rare
_FOOTBALL_SYNC_INTERVAL = 128  # of hts_ppo and ppo
_UNROLL = 32  # of impala
_WARM_UP = {"hts": 2, "sync": 1, "async": 1}  # intervals, until all is compiled
_MIN_INTERVALS = 2
_POLL_SEC = 0.1

_HEADING = (
    f"{'scenario':26}{'step time':13}{'envs':>4}  {'':6}{'SPS':>9}{'interval [s]':>19}"
    f"{'expected':>10}{'ratio':>10}{'formula':>10}"
)

# Nothing that takes time besides what is measured, and no end.
_LEAN = [
    "Trainer.total_env_steps = 1_000_000_000",
    "Trainer.checkpoint_every_sec = None",
    "Trainer.fingerprints = False",
    "Trainer.archive_episodes = False",
]
_TINY = ["mlp.units = (16,)", "PPO.epochs = 1", "PPO.num_minibatches = 1"]


class Case(NamedTuple):
    """What is measured once.

    Attributes:
      scenario: 'synthetic' or of gfootball.
      schedule: 'hts', 'sync' or 'async'.
      num_envs: n.
      step_time: see `--step_times`; empty on football.
    """

    scenario: str
    schedule: str
    num_envs: int
    step_time: str

    @property
    def num_executors(self) -> int:
        """Processes that step the environments."""
        if self.scenario == _SYNTHETIC:
            return self.num_envs
        return min(self.num_envs, processors.usable_cores())

    @property
    def sync_interval(self) -> int:
        """Alpha; of `async` the unroll."""
        if self.schedule == "async":
            return _UNROLL
        return _SYNC_INTERVAL.value if self.scenario == _SYNTHETIC else _FOOTBALL_SYNC_INTERVAL

    @property
    def bindings(self) -> list[str]:
        """What the training is told, besides scenario and method."""
        bindings = [
            *_LEAN,
            f"Trainer.num_envs = {self.num_envs}",
            f"Trainer.num_executors = {self.num_executors}",
            f"Trainer.sync_interval = {self.sync_interval}",
        ]
        if self.scenario == _SYNTHETIC:
            game = game_of(self.step_time)
            bindings += _TINY
            bindings += [f"Synthetic.{name} = {value!r}" for name, value in vars(game).items()]
        return bindings


class Timing(NamedTuple):
    """What was measured.

    Attributes:
      sps: env steps per second.
      seconds: of each interval counted.
    """

    sps: float
    seconds: list[float]


class Row(NamedTuple):
    """A line of the CSV file; what does not apply is None. For the rest see `Case`.

    Attributes:
      sweep: 'num_envs' or 'variance'.
      step_mean_sec: mean of the step times' distribution, in seconds.
      step_variance_sec2: its variance, in square seconds.
      intervals: how many were counted.
      sps: env steps per second.
      interval_sec: mean seconds from one sync point to the next.
      interval_std_error_sec: of this mean.
      expected_interval_sec: see `interval_times.expected_sec`.
      formula_interval_sec: see `interval_times.formula_sec`.
    """

    sweep: str
    scenario: str
    schedule: str
    num_envs: int
    num_executors: int
    sync_interval: int
    step_time: str
    step_mean_sec: float | None
    step_variance_sec2: float | None
    intervals: int
    sps: float
    interval_sec: float
    interval_std_error_sec: float
    expected_interval_sec: float | None
    formula_interval_sec: float | None


def game_of(step_time: str) -> synthetic.Synthetic:
    """Returns the synthetic environment with such step times; see `--step_times`.

    Raises:
      ConfigError: there is no such distribution.
    """
    name, _, shape = step_time.partition(":")
    options = {}
    try:
        if shape:
            options["gamma_shape"] = float(shape)
        return synthetic.Synthetic(
            step_time=name,
            mean_step_sec=_MEAN_STEP_SEC.value,
            episode_steps=_EPISODE_STEPS,
            **options,
        )
    except ValueError as error:
        raise errors.ConfigError(
            f"{step_time} in --step_times or --variance_step_times: {error}"
        ) from None


def cases() -> Iterator[tuple[str, Case]]:
    """Yields (sweep, what to measure) as the flags say; some cases are of both sweeps."""
    for scenario in _SCENARIOS.value:
        step_times = _STEP_TIMES.value if scenario == _SYNTHETIC else [""]
        for step_time, num_envs, schedule in itertools.product(
            step_times, map(int, _NUM_ENVS.value), _METHODS
        ):
            yield "num_envs", Case(scenario, schedule, num_envs, step_time)
    if _SYNTHETIC in _SCENARIOS.value:
        for step_time in _VARIANCE_STEP_TIMES.value:
            for schedule in interval_times.SCHEDULES:
                yield "variance", Case(_SYNTHETIC, schedule, _VARIANCE_NUM_ENVS.value, step_time)


def measure(case: Case) -> Timing:
    """Trains until enough intervals are counted.

    Raises:
      ChildError: the training refused its configuration, or failed.
    """
    points: list[tuple[int, float]] = []  # (env steps, seconds) at each sync point
    counted: list[tuple[int, float]] = []
    method = _METHODS[case.schedule]
    with training_run.start(case.scenario, 0, case.bindings, method) as training:
        while len(counted) <= _MIN_INTERVALS or counted[-1][1] - counted[0][1] < _SECONDS.value:
            time.sleep(_POLL_SEC)
            points += training.sync_points()
            counted = points[_WARM_UP[case.schedule] - 1 :]
    env_steps, seconds = (last - first for first, last in zip(counted[0], counted[-1], strict=True))
    ends = [end for _, end in counted]
    return Timing(env_steps / seconds, [b - a for a, b in itertools.pairwise(ends)])


def row(sweep: str, case: Case, timing: Timing) -> Row:
    """Puts what was measured beside what was to be expected."""
    game = game_of(case.step_time) if case.scenario == _SYNTHETIC else None
    expected = formula = None
    if game and case.schedule in interval_times.SCHEDULES:
        size = (case.num_envs, case.sync_interval)
        expected = interval_times.expected_sec(case.schedule, game.draw_step_sec, *size)
        if case.schedule == "hts":
            formula = interval_times.formula_sec(game, *size)
    return Row(
        sweep=sweep,
        **case._asdict(),
        num_executors=case.num_executors,
        sync_interval=case.sync_interval,
        step_mean_sec=game and game.mean_step_sec,
        step_variance_sec2=game and game.step_variance_sec2,
        intervals=len(timing.seconds),
        sps=timing.sps,
        interval_sec=mean(timing.seconds),
        interval_std_error_sec=stdev(timing.seconds) / len(timing.seconds) ** 0.5,
        expected_interval_sec=expected,
        formula_interval_sec=formula,
    )


def line(r: Row) -> str:
    """Writes a row for the screen, below `_HEADING`."""

    def number(value: float | None, spec: str) -> str:
        return format(value, spec) if value is not None else f"{'-':>{int(spec.split('.')[0])}}"

    ratio = r.interval_sec / r.expected_interval_sec if r.expected_interval_sec else None
    return (
        f"{r.scenario:26}{r.step_time:13}{r.num_envs:4d}  {r.schedule:6}{r.sps:9,.1f}"
        f"{r.interval_sec:9.3f} +-{r.interval_std_error_sec:6.3f}"
        f"{number(r.expected_interval_sec, '10.3f')}{number(ratio, '10.3f')}"
        f"{number(r.formula_interval_sec, '10.3f')}"
    )


def check() -> None:
    """Raises: ConfigError: a flag cannot be used."""
    for scenario in _SCENARIOS.value or [""]:
        if scenario != _SYNTHETIC:
            football.Football(scenario)  # refuses what it does not know
    options.check_counts("num_envs", _NUM_ENVS.value or [""])
    for flag in (_STEP_TIMES, _VARIANCE_STEP_TIMES):
        for step_time in flag.value:
            game_of(step_time)


def benchmark() -> None:
    """Measures all cases; the CSV file grows with each.

    Raises:
      ConfigError: a flag cannot be used.
      ChildError: a training refused its configuration, or failed.
    """
    check()
    timings: dict[Case, Timing] = {}
    table = options.Table(_OUTPUT.value, Row._fields)
    terminal.say(_HEADING)
    for sweep, case in cases():
        if case not in timings:
            timings[case] = measure(case)
        measured = row(sweep, case, timings[case])
        table.add(measured)
        terminal.say(line(measured))


if __name__ == "__main__":
    command.run(benchmark)
