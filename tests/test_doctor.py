import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hts_tf import doctor
from hts_tf.doctor import Finding
from tests import command_line

ROOT = Path(doctor.__file__).parents[1]


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


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
    set_up, other = doctor.needs_set_up("a", "1").command, "pip install x"
    assert doctor.examine_again_command([other]).startswith(f"{sys.executable} -m")
    assert doctor.examine_again_command([other, set_up]).startswith(f"{ROOT}/.venv/bin/python -m")


# ---- Mending ------------------------------------------------------------------------------------


def test_nothing_is_to_be_mended(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("Memory", "much")])
    assert doctor.diagnose(is_to_fix=True) == 0
    assert capsys.readouterr().out == "ok       Memory  much\n\nAll is well.\n"


FIX = """
import sys
from hts_tf import doctor
from hts_tf.doctor import Finding, Requirement
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


@pytest.mark.parametrize("before", ["", STARTS_LATE])
def test_a_command_ends_with_the_doctor(before):
    """Also one that has just begun."""
    code = 'doctor.examine = lambda: [Finding("a", "1", "echo begun; read line; echo went on")]'
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
    examine = "doctor.examine = lambda: [*doctor.compare(Requirement('hts-tf-nothing>=2'))]"
    source = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    code, output, errors = fix(examine, small_venv / "bin/python", **source)
    assert code == 1
    assert errors.splitlines()[-1].endswith("not run"), "there is none to be had"

    write_wheel(tmp_path)
    _, output, errors = fix(examine, small_venv / "bin/python", **source)
    assert (packages(small_venv) / "hts_tf_nothing-2.0.dist-info").exists(), errors
    assert f"{small_venv}/bin/python -m hts_tf.doctor\nok       Python " in output


@pytest.mark.slow
def test_operations_that_are_missing_are_compiled(small_venv):
    examine = "doctor.examine = lambda: [doctor.own_operations()]"
    _, output, errors = fix(examine, small_venv / "bin/python")
    before, after = output.split("-m hts_tf.doctor\nok       Python ")
    assert before.startswith("PROBLEM  native_ops  not compiled"), errors
    assert f"\nok       native_ops              {packages(small_venv)}" in after


def test_what_several_extras_want_is_listed_once(monkeypatch):
    wanted = ["packaging>=1; extra == 'plot'", "packaging>=1; extra == 'report'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: wanted)
    assert [finding.name for finding in doctor.python_packages()] == ["packaging"]


def test_extras_of_others_are_what_they_stand_for(monkeypatch):
    wanted = {
        "hts_tf": ["packaging[more]; extra == 'mujoco'", "packaging[more]>=1; extra == 'plot'"],
        "packaging": ["hypothesis>=2; extra == 'more'", "pytest>=3", "ruff; extra == 'other'"],
    }
    monkeypatch.setattr(doctor.metadata, "requires", wanted.__getitem__)
    found = [(finding.name, finding.detail.split()[1]) for finding in doctor.python_packages()]
    assert found == [("hypothesis", "(>=2)"), ("packaging", "(>=1)")]


def test_all_extras_are_examined():
    text = (ROOT / "setup.py").read_text()
    extras = re.findall(r'^    "(\w+)": \[', text, re.MULTILINE)
    assert "football" in extras
    assert {*doctor.OPTIONAL_EXTRAS, "football"} == {*extras}


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


@pytest.mark.parametrize(
    ("text", "detail", "command"),
    [
        ("packaging>=1", "(>=1)", None),
        ("packaging<1", "is not <1", "-m pip install 'packaging<1'"),
        ("hts-tf-nothing>=2", "not installed (>=2)", "-m pip install 'hts-tf-nothing>=2'"),
        ("hts-tf-nothing>=2; extra == 'football'", "not installed", "-m pip install"),
        ("hts-tf-nothing>=2; extra == 'plot'", "not installed, optional", None),
        ("packaging<1; extra == 'test'", "is not <1", "-m pip install 'packaging<1'"),
    ],
)
def test_compare(text, detail, command):
    (finding,) = doctor.compare(Requirement(text))
    assert detail in finding.detail
    assert (finding.command is None) if command is None else (command in finding.command)


def test_compare_ignores_requirements_for_other_systems():
    assert not list(doctor.compare(Requirement("packaging<1; python_version < '3'")))


def test_boost_python(tmp_path):
    name = f"libboost_python3{sys.version_info.minor}.so"
    assert "libboost-python-dev" in doctor.boost_python(tmp_path).command
    (tmp_path / "lib/some-linux-gnu").mkdir(parents=True)
    (tmp_path / "lib/some-linux-gnu" / name).touch()
    assert doctor.boost_python(tmp_path).command is None


def test_debian_packages(tmp_path, monkeypatch):
    wanted = doctor.build_settings()["DEBIAN_PACKAGES"].split()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    script(tmp_path / "dpkg-query", "printf '%s installed\\n' " + " ".join(wanted))
    assert doctor.debian_packages().command is None
    script(tmp_path / "dpkg-query", "printf '%s installed\\n' " + " ".join(wanted[2:]))
    assert doctor.debian_packages().command.endswith(f" {wanted[0]} {wanted[1]}")
    script(tmp_path / "dpkg-query", f"echo {wanted[0]} config-files")
    assert f" {wanted[0]} " in doctor.debian_packages().command


def test_not_a_debian_system(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor.debian_packages()
    assert "not a Debian" in finding.detail
    assert finding.is_problem and not finding.command


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A stand-in for gfootball_engine, and an environment that the set-up has not touched."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    path = tmp_path / "gfootball_engine.py"
    path.touch()
    return path


def test_engine_that_was_built_by_the_set_up(engine):
    flags = doctor.build_settings()["CXXFLAGS"]
    build = {"cxxflags": flags, "patch": doctor.engine_patch_hash()}
    engine.with_name("gfootball-build.json").write_text(json.dumps(build))
    assert doctor.gfootball() == Finding("gfootball engine", f"loads; patched; {flags}")


@pytest.mark.parametrize("patch", [{}, {"patch": "of another version"}])
def test_engine_that_was_built_with_another_patch(engine, patch):
    build = {"cxxflags": doctor.build_settings()["CXXFLAGS"], **patch}
    engine.with_name("gfootball-build.json").write_text(json.dumps(build))
    assert "patch" in doctor.gfootball().detail
    assert doctor.gfootball().command


def test_engine_that_was_built_with_other_flags(engine):
    engine.with_name("gfootball-build.json").write_text(json.dumps({"cxxflags": "-O0"}))
    assert "built with -O0" in doctor.gfootball().detail
    assert doctor.gfootball().command


def test_engine_that_was_not_built_by_the_set_up(engine):
    assert "not built by the set-up" in doctor.gfootball().detail
    assert doctor.gfootball().command


def test_engine_that_does_not_load(engine):
    engine.write_text("raise ImportError('libboost_python.so: no such file')")
    assert doctor.gfootball().detail == "ImportError: libboost_python.so: no such file"
    assert doctor.gfootball().command


def test_engine_for_another_processor(engine):
    engine.write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    assert doctor.gfootball().detail == "killed by signal 4"


def test_processor(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "model name\t: Fast\nflags\t: fpu avx2 fma\n\nmodel name\t: Slow\nflags\t:\n"
    )
    assert doctor.processor(cpuinfo).detail.startswith("Fast, ")
    assert doctor.processor(cpuinfo).detail.endswith("avx2 fma")


def test_too_little_memory_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "memory_available_bytes", lambda: doctor.RUN_BYTES)
    assert not doctor.memory().is_problem
    monkeypatch.setattr(doctor, "memory_available_bytes", lambda: doctor.RUN_BYTES - 1)
    assert "Trainer.num_envs" in doctor.memory().advice


# ---- Several machines ---------------------------------------------------------------------------


def test_a_cluster_needs_ray(monkeypatch):
    monkeypatch.setattr(doctor.scope, "package_version", lambda _: "not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (finding,) = doctor.cluster()
    assert "launch/setup.sh --extras=cluster" in finding.detail
    assert not finding.is_problem, "it is optional"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    (finding,) = doctor.cluster()
    assert finding.command.endswith("launch/setup.sh --extras=cluster")


def test_without_an_address_machines_are_processes(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (finding,) = doctor.cluster()
    assert "processes of this machine" in finding.detail
    assert not finding.is_problem


@pytest.mark.parametrize("flag", [False, True])
def test_a_cluster_that_is_not_there(monkeypatch, flag):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2" if flag else address)
        arguments = [f"--ray_address={address}"] if flag else []
        code, output, errors = command_line.run("hts_tf.doctor", *arguments)
    assert (code, errors) == (1, "")
    assert f"--ray_address={address}: no cluster that can be used" in output


def test_flags_that_there_are_not():
    code, output, errors = command_line.run("hts_tf.doctor", "--address=x")
    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert "--address=x" in errors


def test_what_differs_between_machines():
    here = {"python": "3.12.1", "commit": "a", "processor": "Fast (avx2)"}
    (finding,) = doctor._differences("x", here, {**here, "commit": "b"})
    assert not finding.is_problem
    (finding,) = doctor._differences("Machine 10.0.0.2", here, {**here, "python": "3.12.2"})
    assert finding.name == "Machine 10.0.0.2"
    assert finding.detail == "python 3.12.2, this one 3.12.1"
    assert "training refuses" in finding.advice
    (finding,) = doctor._differences("x", here, {**here, "processor": "Slow (plain)"})
    assert "refuses" not in finding.advice


# Nodes on loopback, the second with a setting that the first has not; ends with its input.
NODES = """
import os, sys
from ray import cluster_utils
os.environ["RAY_TMPDIR"] = sys.argv[1]  # /tmp/ray may be missing, or another user's
node = {"num_cpus": 1, "include_dashboard": False}
cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
if sys.argv[2] == "2":
    cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextlib.contextmanager
def nodes(monkeypatch, number, mode):
    """The address of a Ray cluster that wants the token in RAY_AUTH_TOKEN, or none."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 32)
    # A short path, as there are sockets in it.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as directory:
        command = [sys.executable, "-c", NODES, directory, str(number)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            yield process.stdout.readline().decode().strip()
            process.stdin.close()


@pytest.fixture
def two_nodes(monkeypatch):
    with nodes(monkeypatch, 2, "token") as address:
        yield address


@pytest.mark.slow
def test_a_cluster_that_lets_in_who_has_no_token(monkeypatch):
    """Also if one has a token oneself."""
    with nodes(monkeypatch, 1, "disabled") as address:
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        code, output, _ = command_line.run("hts_tf.doctor", f"--ray_address={address}")
    assert code == 1
    (line,) = [line for line in output.splitlines() if "Cluster's token " in line]
    assert line.startswith("PROBLEM")
    assert "Cluster's token: set RAY_AUTH_MODE=token on all machines" in output


@pytest.mark.slow
def test_machines_of_a_cluster(two_nodes, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", two_nodes)
    code, output, _ = command_line.run("hts_tf.doctor")
    assert code == 1
    assert f" at {two_nodes}, machines: 2\n" in output
    assert "Cluster's token" not in output
    (line,) = [line for line in output.splitlines() if " Machine 127.0.0.1 " in line]
    assert line.startswith("PROBLEM")
    assert line.endswith("environment variables TF_ENABLE_ONEDNN_OPTS=0, this one none that matter")

    monkeypatch.setenv("RAY_AUTH_TOKEN", "b" * 32)
    code, output, _ = command_line.run("hts_tf.doctor")
    assert code == 1
    assert "no cluster that can be used" in output
    assert "Machine 127" not in output
