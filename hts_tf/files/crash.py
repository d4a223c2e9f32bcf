"""The episode that an executor died in, kept so that one can see it die again."""

import math
import shlex
import sys

from hts_tf import config, operative
from hts_tf.collecting.deaths import Attempt
from hts_tf.files import archive
from hts_tf.files.workdir import Workdir


def keep(workdir: Workdir, attempt: Attempt, seed: int, interval: int) -> str:
    """Writes what `hts_tf.replay` needs, and says how to call it.

    Args:
      workdir: of the run.
      attempt: to play the episode.
      seed: of the episode.
      interval: in which it was played.
    """
    path = workdir.path / f"crash_env{attempt.env}_episode{attempt.episode}.bin"
    try:
        archive.write(path, [_record(attempt, seed, interval)])
    except OSError as error:
        return f"that episode (seed {seed}) was not kept: {error}"
    modules = operative.bindings(workdir.configuration()).get(operative.IMPORTS, ())
    replay = shlex.join(
        [
            *(sys.executable, "-m", "hts_tf.replay", f"--workdir={workdir.path}"),
            *(f"--archive={path}", "--check_only", *config.modules_flags(modules)),
        ]
    )
    return f"to replay that episode (seed {seed}): {replay}"


def _record(attempt: Attempt, seed: int, interval: int) -> archive.Record:
    """Returns what `hts_tf.replay` needs of the episode that an executor died in."""
    return archive.Record(
        attempt.env,
        attempt.episode,
        seed,
        interval,
        score=math.nan,
        episode_return=math.nan,
        actions=attempt.actions.tobytes(),
        action_bytes=attempt.actions[:1].nbytes or 1,
    )
