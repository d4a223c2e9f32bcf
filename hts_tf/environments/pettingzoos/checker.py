"""PettingZoo's own test of the parallel API: what it has to say, line by line."""

import contextlib
import io
import warnings
from typing import TYPE_CHECKING

from hts_tf import errors

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

_ENV_STEPS = 200


def complaints(env: "ParallelEnv") -> list[str]:
    """Returns what the test warns of, and finally the error that stopped it, if one did.

    Args:
      env: any; it is closed then.
    """
    from pettingzoo.test import parallel_api_test

    stopped = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it says that all is well
                parallel_api_test(env, num_cycles=_ENV_STEPS)
        except Exception as error:
            stopped = [f"{type(error).__name__}: {errors.in_a_line(error)}"]
        finally:
            env.close()
    own = (w for w in caught if "pettingzoo" in w.filename)
    return [*dict.fromkeys(" ".join(str(w.message).split()) for w in own), *stopped]
