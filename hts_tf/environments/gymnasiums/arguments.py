"""Arguments that bindings give environments of Gymnasium and PettingZoo, neither of which it needs.

They travel to executors, and each environment gets its own.
"""

import copy
from typing import Any


def copied(kwargs: dict[str, Any], render_mode: str | None) -> dict[str, Any]:
    """Returns a copy, as an environment may take it apart, and others are to be built of the same.

    Args:
      kwargs: of the environment.
      render_mode: one more of them; None is none.
    """
    return copy.deepcopy(kwargs) | ({"render_mode": render_mode} if render_mode else {})
