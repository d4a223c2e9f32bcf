"""Measurements by several child processes at once."""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hts_tf import errors
from hts_tf.system import terminal
from hts_tf.system.child import Child, answer_channel


def measure(
    module: str,
    tasks: Sequence[Mapping[str, Any]],
    environment: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> list[dict[str, float]]:
    """Runs one child for each task, all at the same time; see `serve` for their part.

    Returns:
      What each of them measured.

    Raises:
      ChildError: one failed.
    """
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(Child(module, [json.dumps(task)], environment, python))
            for task in tasks
        ]
        for child in children:
            child.hear()
        for child in children:
            child.say("go")
        return [json.loads(child.hear()) for child in children]


def serve(prepare: Callable[..., Callable[[], dict[str, float]]]) -> None:
    """The part of a child that `measure` started.

    Args:
      prepare: gets the task as keyword arguments, and returns what is to be called when all
        children are ready.
    """
    answers = answer_channel()
    try:
        body = prepare(**json.loads(sys.argv[1]))
    except errors.ConfigError as error:
        sys.exit(terminal.fail(str(error), 2))
    print("ready", file=answers, flush=True)
    if sys.stdin.readline():  # else the benchmark is gone
        print(json.dumps(body()), file=answers, flush=True)
