"""Gymnasium's own checker, `gymnasium.utils.env_checker`: what it has to say, line by line."""

import contextlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
from gymnasium.utils import env_checker

from hts_tf import errors
from hts_tf.environments import checked

_MARK = re.compile(r"\x1b\[\d+m(?:WARN: )?")  # of its logger; other warnings are not the checker's


def complaints(env: gymnasium.Env) -> list[str]:
    """Returns what the checker warns of, and finally the error that stopped it, if one did.

    Args:
      env: any; what is checked is the environment inside of its wrappers. It is closed then.
    """
    with listening(env) as (caught, stopped):
        # To render is for people to try: there may be windows among its modes.
        env_checker.check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)
    texts = [str(warning.message) for warning in caught]
    warned = [" ".join(_MARK.sub("", text).split()) for text in texts if _MARK.match(text)]
    return [*dict.fromkeys(warned), *stopped]  # each once


@contextlib.contextmanager
def listening(env: Any) -> Iterator[tuple[list[warnings.WarningMessage], list[str]]]:
    """Notes what is warned of while an environment is checked, and the error that stops that.

    Args:
      env: of Gymnasium or PettingZoo; it is closed then.
    """
    stopped: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield caught, stopped
        except Exception as error:
            stopped.append(f"{type(error).__name__}: {errors.in_a_line(error)}")
        finally:
            with checked.closing(type(env.unwrapped).__name__):
                env.close()
