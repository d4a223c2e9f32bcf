import os
import subprocess
import sys
import time

import pytest

from hts_tf.system import start
from tests import command_line

PRINTING = """
import os, sys
from hts_tf.system import terminal
with open(sys.argv[1], "w") as file:
    terminal.tell("not for the file")
    print("nor this", flush=True)
    for number in range(3):
        os.fstat(number)
    os.system("echo nor this of a child; echo nor this >&2")
"""


@pytest.fixture
def run(tmp_path):
    """Runs shell commands in which `python MODULE` runs a module, with hts_tf, as a command."""
    package = tmp_path / "hts_tf_test"
    package.mkdir()
    (package / "__init__.py").write_text("import hts_tf\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}

    def run(line, module):
        (package / "module.py").write_text(module)
        line = line.replace("MODULE", f'"{sys.executable}" -m hts_tf_test.module')
        return subprocess.run(
            line, shell=True, env=environment, check=True, capture_output=True, text=True
        ).stdout

    return run


def test_a_users_program_keeps_its_own_signal_handlers(tmp_path):
    """Although its package imports hts_tf while Python looks for the program in it."""
    (tmp_path / "mygame").mkdir()
    (tmp_path / "mygame" / "__init__.py").write_text("import hts_tf.errors\n")
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    (tmp_path / "mygame" / "program.py").write_text(program)
    for option in (["-m", "mygame.program"], ["-mmygame.program", "-m", "hts_tf"]):
        said = subprocess.run(
            [sys.executable, *option],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(command_line.ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert said == "True\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_printed_does_not_get_into_files(run, tmp_path, closed):
    """As it would where a stream is closed, and a file gets its number."""
    path = tmp_path / "file"
    run(f"MODULE '{path}' {closed}", PRINTING)
    assert path.read_text() == ""


def test_what_came_before_in_the_same_process_is_no_part_of_a_run(run):
    """Such as the set-up, by a script that goes on as the command."""
    now = f"'{sys.executable}' -c 'import time; print(time.monotonic())'"
    said = run(f"{now}; exec MODULE", "import hts_tf.system.start as s; print(s.LAUNCHED)")
    before, launched = map(float, said.split())
    assert before <= launched <= time.monotonic()


def test_a_command_that_is_tied_ends_with_who_started_it(run, monkeypatch):
    own = "import os; print('HTS_TF_PARENT' in os.environ, flush=True); os.kill({}, 9); "
    looping = own + "__import__('time').sleep(1000)"
    # A shell starts it, says so, and is killed by it; the pipe ends when both are gone.
    line = "sh -c 'HTS_TF_PARENT=$$ MODULE & wait'; true"
    assert run(line, looping.format("os.getppid()")) == "False\n"


def test_a_command_that_is_tied_does_not_begin_where_that_is_gone(run, monkeypatch):
    for name, value in start.tied().items():
        monkeypatch.setenv(name, value)
    line = f"sh -c 'HTS_TF_PARENT={os.getpid()} MODULE; echo $?'"  # it is the shell's
    assert run(line, "print('has begun')") == "1\n"


def test_who_started_it_may_have_ignored_the_ends_of_children(run):
    """Then a child that has failed would be taken for one that has ended well."""
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    said = run(
        f"'{sys.executable}' -c '{ignoring}; os.execv(sys.argv[1], sys.argv[1:])' MODULE",
        "import subprocess; from hts_tf.system import start; start.begin()\n"
        "print(subprocess.run(['false']).returncode)",
    )
    assert said == "1\n"
