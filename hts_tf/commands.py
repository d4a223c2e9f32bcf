"""Command line: lists the commands, or prints a script with which a shell completes them.

`hts` lists them; `hts completion bash`, or zsh, prints the script. Each command is installed as
`hts-NAME`, too, which is `python -m hts_tf.NAME`.
"""

import argparse
import ast
import runpy
import sys
from pathlib import Path

from hts_tf import errors
from hts_tf.system import command, start

# What is typed, in the order in which it is listed; setup.py reads it here.
COMMANDS = (
    "train",
    "evaluate",
    "replay",
    "play",
    "compare_runs",
    "compare",
    "report",
    "sweep",
    "league",
    "tournament",
    "export",
    "publish",
    "check_environment",
    "plot_curves",
    "plot_timeline",
    "doctor",
)

_PACKAGE = Path(__file__).parent
_LABEL = "Command line: "  # what docstrings begin with
_HELP = "`hts-NAME --help` lists the flags of one; `hts completion bash` helps with typing them."


def console_name(name: str) -> str:
    """Returns what is typed in a shell for a command."""
    return f"hts-{name.replace('_', '-')}"


def source(name: str) -> Path:
    """Returns the file of a command."""
    path = _PACKAGE / name
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


def purpose(name: str) -> str:
    """Returns the first line of what a command's module says of itself, which is not imported."""
    [line, *_] = ast.get_docstring(ast.parse(source(name).read_text())).splitlines()
    line = line.removeprefix(_LABEL)
    return line[0].lower() + line[1:].rstrip(".")


def listing() -> str:
    """Returns all commands with what they do."""
    width = max(len(console_name(name)) for name in COMMANDS)
    lines = [f"{console_name(name):<{width}}  {purpose(name)}" for name in COMMANDS]
    return "\n".join([*lines, "", _HELP])


def run_console_command() -> None:
    """Entry point of every `hts-NAME`: does as `python -m hts_tf.NAME`, `--help` and all."""
    start.begin()
    typed = {Path(sys.argv[0]).name, Path(sys.argv[0]).resolve().name}  # or a link to one
    [name] = [name for name in COMMANDS if console_name(name) in typed]
    if not getattr(sys.flags, "safe_path", False):  # which Python 3.10 lacks
        sys.path.insert(0, str(Path.cwd()))  # as `-m` does: modules of the user's may be there
    runpy.run_module(f"hts_tf.{name}", run_name="__main__", alter_sys=True)


def tell(words: list[str]) -> None:
    """Prints what is asked for.

    Raises:
      ConfigError: there is no such thing.
    """
    if not words:
        print(listing())
        return
    if words[0] in COMMANDS:
        raise errors.ConfigError(f"{words[0]} is a command of its own: {console_name(words[0])}")
    from hts_tf import completion  # not above: it looks for scenarios, which takes a moment

    if words[0] != "completion" or len(words) != 2 or words[1] not in completion.SHELLS:
        shells = " or ".join(completion.SHELLS)
        raise errors.ConfigError(f"hts takes nothing, or `completion` and a shell ({shells})")
    modules = {console_name(name): f"hts_tf.{name}" for name in COMMANDS}
    print(completion.script(words[1], modules), end="")


def main() -> None:
    """Entry point."""
    start.begin()
    parser = argparse.ArgumentParser("hts", add_help=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    command.end(lambda: tell([] if arguments.help else arguments.words))


if __name__ == "__main__":
    main()
