"""How commands end."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from hts_tf import errors
from hts_tf.system import command
from hts_tf.system.child import ChildError


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
        (lambda: signal.raise_signal(signal.SIGINT), 130, ""),
        (lambda: signal.raise_signal(signal.SIGTERM), 143, ""),
    ],
)
def test_outcome(capfd, body, code, says):
    assert command.outcome(body) == code
    assert capfd.readouterr() == ("", says)


def test_a_bug_shows_where_it_is():
    with pytest.raises(ZeroDivisionError):
        command.outcome(lambda: 1 // 0)


def test_a_signal_unwinds():
    put_away = []

    def body():
        with contextlib.ExitStack() as stack:
            stack.callback(put_away.append, "a half-written file")
            signal.raise_signal(signal.SIGTERM)

    assert command.outcome(body) == 143
    assert put_away


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
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    program = [sys.executable, "-c", PROGRAM, "0"]
    found = subprocess.run(program, env=environment, capture_output=True, check=True)
    assert found.stdout.startswith("▁▂▃".encode(encoding, "backslashreplace"))
    assert found.stdout.endswith(b"\\udc80\n")


MODULE = """
import os, sys
from hts_tf.system import terminal
with open(sys.argv[1], "w") as file:
    terminal.tell("not for the file")
    print("nor this", flush=True)
    for number in range(3):
        os.fstat(number)
    os.system("echo nor this of a child; echo nor this >&2")
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_printed_does_not_get_into_files(tmp_path, closed):
    """As it would where a stream is closed, and a file gets its number."""
    package = tmp_path / "hts_tf_test"
    package.mkdir()
    (package / "__init__.py").write_text("import hts_tf\n")
    (package / "module.py").write_text(MODULE)
    path = tmp_path / "file"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    line = f'"{sys.executable}" -m hts_tf_test.module "{path}" {closed}'
    subprocess.run(line, shell=True, env=environment, check=True, capture_output=True)
    assert path.read_text() == ""
