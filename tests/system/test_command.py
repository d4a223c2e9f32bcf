"""How commands end."""

import contextlib
import errno
import os
import signal
import subprocess
import sys

import pytest

from hts_tf import errors
from hts_tf.system import command, stop_signals
from hts_tf.system.child import ChildError
from tests import command_line


@pytest.fixture(autouse=True)
def handlers():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def raising(error):
    def body():
        raise error

    return body


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (lambda: sys.exit(4), 4, ""),
        (raising(errors.ConfigError("a.b must be 1\nin file c")), 2, "error: a.b must be 1\n"),
        (raising(ChildError("it was killed", 1)), 1, "error: it was killed\n"),
        (raising(OSError(errno.ENOSPC, "full", "a/b")), 1, "error: a/b: full\n"),
        (lambda: signal.raise_signal(signal.SIGINT), 130, ""),
        (lambda: signal.raise_signal(signal.SIGTERM), 143, ""),
    ],
)
def test_outcome(capfd, body, code, says):
    assert command.outcome(body) == code
    assert capfd.readouterr() == ("", says)


def test_a_signal_in_compiled_code():
    error = SystemError("returned a result with an exception set")
    error.__cause__ = stop_signals.Interrupted(signal.SIGINT)
    assert command.outcome(raising(error)) == 130


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), OSError(errno.EBADF, "bad descriptor"), SystemError("a bug")]
)
def test_a_bug_shows_where_it_is(error):
    with pytest.raises(type(error)):
        command.outcome(raising(error))


WITH_A_FLAG = """
from absl import flags
from hts_tf.system import command

flags.DEFINE_integer("number", 1, "of something", lower_bound=1)
flags.DEFINE_string("workdir", None, "a directory")
flags.DEFINE_string("method", "ppo", "a method")
flags.DEFINE_string("title", "", "above a picture")
flags.DEFINE_multi_string("bindings", [], "settings")
flags.DEFINE_list("targets", ["1"], "scores")
command.run(lambda: print("run"))
"""


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--number=2"], 0, ""),
        (["--title="], 0, ""),
        (["--targets="], 0, ""),
        (["--targets=1,2", "--method=ppo", "--method=a2c"], 0, ""),
        (["--bindings=a = 1", "--bindings=b = '~/c'"], 0, ""),
        (
            ["--targets=1", "--targets=2"],
            2,
            "error: --targets is given more than once: name all in one, separated by commas\n",
        ),
        (
            ["--workdir=~/runs/x"],
            2,
            "error: --workdir=~/runs/x: the shell leaves ~ as it is in there; write $HOME/runs/x\n",
        ),
        (["--targets=1,~"], 2, "error: --targets=~: the shell leaves ~ as it is in there; write"),
        (["--bindings=~/my.gin"], 2, "error: --bindings=~/my.gin: the shell leaves ~"),
        (
            ["--bindings=a = 1", "--bindings="],
            2,
            "error: --bindings= says nothing: is a variable of the shell unset?\n",
        ),
        (["--help"], 0, ""),
        (["--nubmer=2"], 2, "error: Unknown command line flag 'nubmer'. Did you mean: number ? ("),
        (["--number=0"], 2, "error: flag --number=0: 0 is not a positive integer ("),
        (["--number"], 2, "error: Missing value for flag --number ("),
        (["more"], 2, "error: unexpected argument 'more'\n"),
        (
            ["--workdir="],
            2,
            "error: --workdir= says nothing: is a variable of the shell unset?\n",
        ),
        (
            ["--method="],
            2,
            "error: --method= says nothing: is a variable of the shell unset?\n",
        ),
    ],
)
def test_flags(arguments, code, says):
    program = [sys.executable, "-c", WITH_A_FLAG, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(command_line.ROOT)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == (1 if code else 0)
    assert ("run\n" in done.stdout) == (code == 0 and arguments != ["--help"])
    assert ("--number: of something" in done.stdout) == (arguments == ["--help"])


def test_a_signal_unwinds():
    put_away = []

    def body():
        with contextlib.ExitStack() as stack:
            stack.callback(put_away.append, "a half-written file")
            signal.raise_signal(signal.SIGTERM)

    assert command.outcome(body) == 143
    assert put_away


def test_an_interrupt_of_generated_code_is_an_exit_code(tmp_path):
    """Python would end by SIGINT, had it been a KeyboardInterrupt."""
    body = "lambda: exec('import signal; signal.raise_signal(signal.SIGINT)')"
    program = f"from hts_tf.system import command\ncommand.end({body})\n"
    (tmp_path / "interrupted.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{command_line.ROOT}"}
    run = subprocess.run([sys.executable, "-m", "interrupted"], env=environment)
    assert run.returncode == 130


PROGRAM = """
import sys
from hts_tf.system import command

def body():
    print("▁▂▃\\udc80", *range(int(sys.argv[1])))

command.end(body)
"""


@pytest.mark.parametrize("length", [1, 100_000], ids=["in its buffer", "in the pipe"])
def test_a_reader_that_leaves_early(length):
    program = [sys.executable, "-c", PROGRAM, str(length)]
    read, write = os.pipe()
    os.close(read)  # now, as the program may be done before anyone gets to close it
    found = subprocess.run(program, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (found.returncode, found.stderr) == (128 + signal.SIGPIPE, b"")


def test_standard_output_is_full():
    program = [sys.executable, "-c", PROGRAM, "1"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        found = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (
        1,
        f"error: standard output: {os.strerror(errno.ENOSPC)}\n",
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    program = [sys.executable, "-c", PROGRAM, "0"]
    found = subprocess.run(program, env=environment, capture_output=True, check=True)
    assert found.stdout.startswith("▁▂▃".encode(encoding, "backslashreplace"))
    assert found.stdout.endswith(b"\\udc80\n")


def test_a_body_that_exits_is_a_failure():
    """As where a rule of the user's does, and half of the work is done."""
    program = "import sys; from hts_tf.system import command; command.run(sys.exit)"
    code, _, errors = command_line.run("tests.program", program)
    assert code == 1
    assert errors.endswith("has called sys.exit(None)\n")
