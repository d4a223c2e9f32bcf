"""What the programs behind the tab have in common: an episode of a run, and the flags for it."""

from typing import NamedTuple

from absl import flags

from hts_tf import config, errors
from hts_tf.environments import base, two_sided
from hts_tf.files import archive, run_flags
from hts_tf.files.workdir import Workdir

EPISODE = flags.DEFINE_integer(
    "episode", None, "its place in the archive, from 0", required=True, lower_bound=0
)


class Chosen(NamedTuple):
    """An episode, and the environment that it is of."""

    record: archive.Record
    environment: base.EnvironmentConfig


def find() -> Chosen:
    """Returns the episode that the flags say.

    Raises:
      ConfigError: there is no such run or episode.
    """
    workdir = Workdir(run_flags.workdir())
    environment = config.environment_in(
        workdir.configuration(), workdir.config, run_flags.MODULES.value
    )
    records = archive.read(workdir.archive)
    if EPISODE.value >= len(records):
        raise errors.ConfigError(f"--episode={EPISODE.value}: there are {len(records):,}")
    record = records[EPISODE.value]
    return Chosen(record, two_sided.against(environment, record.against))
