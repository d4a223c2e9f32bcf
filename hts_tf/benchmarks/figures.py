"""The figures of the throughput benchmark, as a table for a screen and as rows of a CSV file."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from hts_tf.benchmarks import ceiling, training_run

# How a figure came about: seen in the trainings, or in one with clocks inside, measured without
# one, or what is left.
IN_RUN, TIMED, ALONE, DIFFERENCE = "in the run", "timed run", "alone", "difference"
COLUMNS = ("scenario", "group", "figure", "measured", "statistic", "value")


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
      group: what it belongs to.
      name: of the quantity.
      measured: `IN_RUN`, `TIMED`, `ALONE` or `DIFFERENCE`.
      values: one for each repeat, or one for all.
      digits: after the decimal point, in the table.
    """

    group: str
    name: str
    measured: str
    values: Sequence[float]
    digits: int


def collect(
    ceilings: Sequence[ceiling.Ceiling],
    runs: Sequence[training_run.TrainingRun],
    environment: dict[str, float],
    trainer: dict[str, float],
    num_players: int = 1,
) -> list[Figure]:
    """Puts together what was measured on one scenario.

    Args:
      ceilings: one for each repeat.
      runs: one for each repeat.
      environment: see `environment_in_training.measure`.
      trainer: see `trainer_alone.measure`.
      num_players: whose steps are in an env step.
    """
    sps = [run.sps for run in runs]
    pairs = zip(runs, ceilings, strict=True)
    executors = [1e3 * run.executors_sec for run in runs]
    trainers = [1e3 * run.trainer_sec for run in runs]
    around = environment["encoding"] + environment["around"] + environment["handover"]
    learning, inference = 1e3 * trainer["learning"], 1e3 * trainer["inference"]
    compiling = [1e3 * trainer["compiling"] / run.env_steps for run in runs]
    rest = [x - learning - inference - c for x, c in zip(trainers, compiling, strict=True)]
    speed = "env steps per second"
    time = "processor time [ms per env step]"
    memory = "peak memory [MB of PSS]"
    return [
        Figure(speed, "ceiling: stock gfootball", ALONE, [c.sps for c in ceilings], 1),
        Figure(speed, "training", IN_RUN, sps, 1),
        Figure(speed, "- agent steps", IN_RUN, [num_players * x for x in sps], 1),
        Figure(speed, "training / ceiling", IN_RUN, [r.sps / c.sps for r, c in pairs], 3),
        Figure("start-up [s]", "to first sync point", IN_RUN, [r.start_up_sec for r in runs], 1),
        Figure(time, "executors", IN_RUN, executors, 3),
        Figure(time, "- engine", TIMED, [1e3 * environment["engine"]], 3),
        Figure(time, "- reset", TIMED, [1e3 * environment["reset"]], 3),
        Figure(time, "- observation encoding", TIMED, [1e3 * environment["encoding"]], 3),
        Figure(time, "- Python around the engine", TIMED, [1e3 * environment["around"]], 3),
        Figure(time, "- hand-over", TIMED, [1e3 * environment["handover"]], 3),
        Figure(time, "- last three / engine", TIMED, [around / environment["engine"]], 3),
        Figure(time, "trainer", IN_RUN, trainers, 3),
        Figure(time, "- learning", ALONE, [learning], 3),
        Figure(time, "- inference", ALONE, [inference], 3),
        Figure(time, "- compiling the first update", ALONE, compiling, 3),
        Figure(time, "- the rest", DIFFERENCE, rest, 3),
        Figure(time, "ceiling", ALONE, [1e3 * c.processor_sec for c in ceilings], 3),
        Figure("actors", "environments in a batch", IN_RUN, [r.batch_size for r in runs], 2),
        Figure(memory, "trainer", IN_RUN, [r.trainer_bytes / 1e6 for r in runs], 0),
        Figure(memory, "executors", IN_RUN, [r.executors_bytes / 1e6 for r in runs], 0),
        Figure(memory, "all at once", IN_RUN, [r.total_bytes / 1e6 for r in runs], 0),
    ]


def table(rows: Sequence[Figure]) -> str:
    """Writes figures below each other, for a screen."""
    lines = []
    group = None
    for figure in rows:
        if figure.group != group:
            group = figure.group
            lines.append(f"{group:38}{'median':>10}{'min':>10}{'max':>10}  measured")
        numbers = (median(figure.values), min(figure.values), max(figure.values))
        columns = "".join(f"{number:10,.{figure.digits}f}" for number in numbers)
        lines.append(f"  {figure.name:36}{columns}  {figure.measured}")
    return "\n".join(lines)


def tidy(scenario: str, rows: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Returns figures as rows of a CSV file, one number each; see `COLUMNS`."""
    return [
        (scenario, figure.group, figure.name, figure.measured, statistic, f"{value:.6g}")
        for figure in rows
        for statistic, value in [
            ("median", median(figure.values)),
            ("min", min(figure.values)),
            ("max", max(figure.values)),
            *((f"repeat {i}", value) for i, value in enumerate(figure.values)),
        ]
    ]
