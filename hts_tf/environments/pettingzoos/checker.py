"""PettingZoo's own test of the parallel API: what it has to say, line by line."""

import contextlib
import io
from typing import TYPE_CHECKING

from hts_tf.environments.gymnasiums import checker

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

_ENV_STEPS = 200


def complaints(env: "ParallelEnv") -> list[str]:
    """Returns what the test warns of, and finally the error that stopped it, if one did.

    Args:
      env: any; it is closed then.
    """
    from pettingzoo.test import parallel_api_test

    # What it prints is that all is well.
    with checker.listening(env) as (caught, stopped), contextlib.redirect_stdout(io.StringIO()):
        parallel_api_test(env, num_cycles=_ENV_STEPS)
    own = (w for w in caught if "pettingzoo" in w.filename)
    return [*dict.fromkeys(" ".join(str(w.message).split()) for w in own), *stopped]
