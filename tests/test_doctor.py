import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from hts_tf import doctor
from hts_tf.examining import finding
from hts_tf.examining.finding import Finding
from tests import command_line
from tests.command_line import ROOT


def test_report_and_exit_status_when_all_is_well(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("Memory", "much")])
    assert doctor.diagnose() == 0
    assert capsys.readouterr().out == "ok       Memory  much\n\nAll is well.\n"


def test_report_lists_each_mending_command_once(monkeypatch, capsys):
    findings = [Finding("a", "1"), Finding("b", "2", "apt-get x"), Finding("c", "3", "apt-get x")]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert doctor.diagnose() == 1
    out = capsys.readouterr().out
    assert "PROBLEM  b  2" in out
    assert out.count("apt-get x") == 1
    assert out.endswith(f"To mend it, run:\n  apt-get x\n  {sys.executable} -m hts_tf.doctor\n")


def test_advice_is_no_command(monkeypatch, capsys):
    findings = [Finding("a", "1", advice="use Debian"), Finding("b", "2")]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    for is_to_fix in (False, True):
        assert doctor.diagnose(is_to_fix) == 1
        out = capsys.readouterr().out
        assert out.endswith("\n\nWhat no command mends:\n  a: use Debian\n")
        assert "PROBLEM  a  1" in out


def test_after_the_set_up_its_interpreter_is_examined():
    set_up, other = finding.needs_set_up("a", "1").command, "pip install x"
    assert doctor.examine_again_command([other]).startswith(f"{sys.executable} -m")
    assert doctor.examine_again_command([other, set_up]).startswith(f"{ROOT}/.venv/bin/python -m")


# ---- Mending ------------------------------------------------------------------------------------


def test_nothing_is_to_be_mended(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("Memory", "much")])
    assert doctor.diagnose(is_to_fix=True) == 0
    assert capsys.readouterr().out == "ok       Memory  much\n\nAll is well.\n"


FIX = """
import sys
from packaging.requirements import Requirement
from hts_tf import doctor
from hts_tf.examining import python_packages
from hts_tf.examining.finding import Finding
{}
sys.argv = ["doctor", "--fix"]
doctor.main()
"""


def fix(code, python=sys.executable, **variables):
    """Runs `--fix` after some code; returns (exit code, standard output, standard error)."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    environment.pop("RAY_ADDRESS", None)
    command = [python, "-c", FIX.format(code)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr


def test_commands_run_in_their_order_and_the_report_comes_again(tmp_path):
    code, output, errors = fix(
        f"""
doctor.examine = lambda: [
    Finding("a", "1", "echo first > {tmp_path}/file"),
    Finding("b", "2", advice="touch {tmp_path}/advice"),
    Finding("c", "3", "cat {tmp_path}/file && echo second >&2"),
]
doctor.examine_again_command = lambda commands: "/bin/echo All is well, of a new process."
"""
    )
    assert (code, errors) == (0, "second\n")
    assert output.endswith(
        f"What no command mends:\n  b: touch {tmp_path}/advice\n"
        f"\n$ echo first > {tmp_path}/file\n"
        f"\n$ cat {tmp_path}/file && echo second >&2\nfirst\n"
        "\n$ /bin/echo All is well, of a new process.\nAll is well, of a new process.\n"
    )
    assert not (tmp_path / "advice").exists()


def test_the_first_command_that_fails_is_the_last(tmp_path):
    code, output, errors = fix(
        f"""
doctor.examine = lambda: [
    Finding("a", "1", "exit 7"), Finding("b", "2", "touch {tmp_path}/next")
]
"""
    )
    assert code == 1
    assert output.endswith("\n$ exit 7\n")
    assert errors == "error: exit 7: exit code 7; what comes after it was not run\n"
    assert not (tmp_path / "next").exists()


STARTS_LATE = """
import subprocess, time
class Late(subprocess.Popen):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        time.sleep(1.0)
subprocess.Popen = Late
"""


@pytest.mark.parametrize("does", ["read line", "sleep 1000"])
@pytest.mark.parametrize("before", ["", STARTS_LATE])
def test_a_command_ends_with_the_doctor(before, does):
    """Also one that has just begun, and what it has started."""
    code = f'doctor.examine = lambda: [Finding("a", "1", "echo begun; {does}; echo went on")]'
    command = [sys.executable, "-c", FIX.format(before + code)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        assert any(line == "begun\n" for line in process.stdout)
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
        output, _ = process.communicate("a line\n")
        assert output == "", "nobody has it open any more"


@pytest.fixture
def small_venv(tmp_path):
    """A new virtual environment that sees the packages of this one, but has none of its own."""
    directory = tmp_path / "venv"
    venv.create(directory, symlinks=True)
    (packages(directory) / "others.pth").write_text(sysconfig.get_path("purelib"))
    return directory


def packages(environment):
    """Returns where a virtual environment has its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def write_wheel(directory):
    """Writes a package with nothing in it, hts-tf-nothing 2.0."""
    name = "hts_tf_nothing-2.0"
    with zipfile.ZipFile(directory / f"{name}-py3-none-any.whl", "w") as wheel:
        info = f"{name}.dist-info"
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: hts-tf-nothing\nVersion: 2.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_a_package_that_is_missing_is_installed(small_venv, tmp_path):
    examine = (
        "doctor.examine = lambda: [*python_packages.compare(Requirement('hts-tf-nothing>=2'))]"
    )
    source = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    code, output, errors = fix(examine, small_venv / "bin/python", **source)
    assert code == 1
    assert errors.splitlines()[-1].endswith("not run"), "there is none to be had"

    write_wheel(tmp_path)
    _, output, errors = fix(examine, small_venv / "bin/python", **source)
    assert (packages(small_venv) / "hts_tf_nothing-2.0.dist-info").exists(), errors
    assert f"{small_venv}/bin/python -m hts_tf.doctor\nok       Python " in output


@pytest.mark.slow
def test_operations_that_are_missing_are_compiled(small_venv, tmp_path):
    compiler = tmp_path / "c++"
    used = os.environ.get("CXX", "c++")
    compiler.write_text(f'#!/bin/sh\nexec {used} "$@" -O0\n')  # they are not used here
    compiler.chmod(0o755)
    examine = "doctor.examine = lambda: [python_packages.own_operations()]"
    _, output, errors = fix(examine, small_venv / "bin/python", CXX=str(compiler))
    before, after = output.split("-m hts_tf.doctor\nok       Python ")
    assert before.startswith("PROBLEM  native_ops  not compiled"), errors
    assert f"\nok       native_ops              {packages(small_venv)}" in after


def test_works_where_nothing_is_installed():
    command = [sys.executable, "-S", "-m", "hts_tf.doctor"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert "hts_tf is not installed" in result.stdout
    assert len(result.stdout.splitlines()) < 25


def test_imports_nothing_heavy():
    code = """
import sys
from hts_tf import doctor
doctor.report(doctor.examine())
sys.exit(bool({"tensorflow", "keras", "numpy", "gfootball_engine", "ray"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_flags_that_there_are_not():
    code, output, errors = command_line.run("hts_tf.doctor", "--address=x")
    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert "--address=x" in errors
