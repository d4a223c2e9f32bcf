"""What is in an archive of episodes: a list of them, and which one is meant."""

import math

from hts_tf import errors
from hts_tf.files.archive import Record

_ROWS = 6  # of each kind


def choose(
    records: list[Record],
    episode: int | None = None,
    update: int | None = None,
    env: int | None = None,
    best: bool = False,
    worst: bool = False,
) -> int:
    """Returns the number of the chosen episode: the last one if nothing is chosen.

    Raises:
      ConfigError: there is no such episode, or more than one choice.
    """
    if (update is None) != (env is None):
        raise errors.ConfigError("--update and --env choose an episode together")
    if sum([episode is not None, update is not None, best, worst]) > 1:
        raise errors.ConfigError("choose one: --episode, --update with --env, --best or --worst")
    if episode is not None:
        if episode >= len(records):
            raise errors.ConfigError(
                f"--episode={episode} is not in the archive: its last is {len(records) - 1}"
            )
        return episode
    if update is not None:
        episodes = 0
        for number, record in enumerate(records):
            if record.env == env and record.update >= update:
                if record.episode > episodes:
                    raise errors.ConfigError(
                        f"the archive lacks episodes {episodes} to {record.episode - 1} of "
                        f"environment {env}, of which it was playing one"
                    )
                return number
            if record.env == env:
                episodes = record.episode + 1
        last = max(record.env for record in records)
        if env > last:
            raise errors.ConfigError(f"--env={env} is not in the archive: its last is {last}")
        raise errors.ConfigError(
            f"environment {env} has finished no episode since the interval of update {update}"
        )
    if best or worst:
        order = _from_best(records)
        if not order:
            raise errors.ConfigError("no episode in the archive has a known score")
        return order[0 if best else -1]
    return len(records) - 1


def screen(records: list[Record]) -> str:
    """Returns one screen about an archive: its best, worst and last episodes."""
    steps = sum(record.length for record in records)
    order = _from_best(records)
    lines = [f"{len(records):,} episodes, {steps:,} env steps"]
    against = "  against" if any(record.against for record in records) else ""
    for name, numbers in [
        ("best", order[:_ROWS]),
        ("worst", order[-_ROWS:][::-1]),
        ("last", range(max(0, len(records) - _ROWS), len(records))),
    ]:
        lines += ["", f"{name:<6}  episode   update  env   score  return  steps{against}"]
        for number in numbers:
            record = records[number]
            lines.append(
                f"{number:15}  {record.update:7}  {record.env:3}  {record.score:6g}"
                f"  {record.episode_return:6.2f}  {record.length:5}  {record.against}".rstrip()
            )
    return "\n".join(lines)


def _from_best(records: list[Record]) -> list[int]:
    """Returns the numbers of the episodes of known score: best first, of equals the shortest."""
    known = [number for number, record in enumerate(records) if not math.isnan(record.score)]
    return sorted(
        known,
        key=lambda n: (-records[n].score, -round(records[n].episode_return, 4), records[n].length),
    )
