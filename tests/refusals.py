"""Commands, many of them in one process: to start one takes a second or more."""

import json

from tests import command_line

_PROGRAM = """
import importlib, json, os, sys, tempfile
from absl import flags, logging
from hts_tf.system import command

module, body, commands, before = sys.argv[1:]
exec(before)
body = getattr(importlib.import_module(module), body)
logging.use_absl_handler()  # as app.run does
streams = {number: os.dup(number) for number in (1, 2)}
results = []
for arguments in json.loads(commands):
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    def parsed():
        command.parse([module, *arguments])
        return body()
    with tempfile.TemporaryFile("r+") as output, tempfile.TemporaryFile("r+") as errors:
        os.dup2(output.fileno(), 1)  # also what an engine prints
        os.dup2(errors.fileno(), 2)
        try:
            code = command.outcome(parsed)
        finally:
            sys.stdout.flush()
            for number, stream in streams.items():
                os.dup2(stream, number)
        output.seek(0)
        errors.seek(0)
        results.append((code, output.read(), errors.read()))
json.dump(results, sys.stdout)
"""

_CHECKED_HERE = """
from hts_tf.system import parallel

parallel.each = lambda begin, things, processes: map(begin(), things)
"""


def of(module, body, commands, before="", pythonpath=()):
    """Gives a command one list of flags after the other.

    Args:
      module: of the command.
      body: the function in it that `command.run` is given.
      commands: lists of flags.
      before: program text, for before the module is imported.
      pythonpath: directories of further modules.

    Returns:
      (exit code, standard output, standard error) of each.
    """
    code, said, complaints = command_line.run(
        *("tests.program", _PROGRAM, module, body, json.dumps(commands), before),
        pythonpath=pythonpath,
    )
    assert code == 0, complaints
    return json.loads(said)


def checked_here(command, commands, pythonpath=()):
    """The same of `compare` or `sweep`, which check here whether configurations can be trained.

    Else they do so in a process of its own, which loads TensorFlow, for each list of flags: as
    where tests run the command itself.
    """
    body = (f"hts_tf.{command}", command)
    return of(*body, commands, before=_CHECKED_HERE, pythonpath=pythonpath)


def check(finished, says):
    """Checks that a command was refused in a line, with these words in it."""
    code, output, complaints = finished
    assert code == 2, (output, complaints)
    assert len(complaints.splitlines()) == 1, complaints
    assert says in complaints
    assert not output
