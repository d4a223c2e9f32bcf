import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hts_tf
from hts_tf.files import scope

ROOT = Path(hts_tf.__file__).parents[1]


def test_describes_everything():
    described = scope.describe()
    assert described["hts_tf"].startswith(hts_tf.__version__)
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("numpy", "tensorflow", "keras", "tensorflow-probability", "gfootball"):
        assert described[name][0].isdigit(), name
    assert described == scope.describe()
    assert len(scope.line(described).splitlines()) == 1
    for value in described.values():
        assert value
        assert value in scope.line(described)


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("import cv2", set()),
        ("import gymnasium, ale_py", {"gymnasium", "ale-py"}),
        ("import gymnasium, cv2", {"gymnasium", "opencv-python"}),
        ("import pettingzoo", {"gymnasium", "pettingzoo"}),
    ],
)
def test_simulators_are_those_that_are_used(program, names):
    code = f"{program}\nfrom hts_tf.files import scope; print(scope.simulators())"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    described = ast.literal_eval(found.splitlines()[-1])
    assert set(described) == names
    assert all(version[0].isdigit() for version in described.values())


def test_imports_nothing_heavy():
    code = """
import sys
from hts_tf.files import scope
scope.describe()
sys.exit(bool({"tensorflow", "keras", "numpy", "gfootball", "gfootball_engine"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_differences():
    before = {"numpy": "1", "keras": "3", "commit": "a", "gone": "x"}
    now = {"numpy": "2", "keras": "3", "commit": "b", "new": "y"}
    assert scope.differences(before, now) == [
        ("numpy", "1", "2"),
        ("gone", "x", "unknown"),
        ("new", "unknown", "y"),
    ]
    assert scope.differences(now, now) == []


def git(directory, *arguments):
    settings = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"]
    command = ["git", "-C", directory, *settings, *arguments]
    nobodys = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **nobodys})


def test_commit(tmp_path, monkeypatch):
    assert scope.commit(tmp_path) is None
    git(tmp_path, "init")
    assert scope.commit(tmp_path) is None  # nothing committed yet
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = scope.commit(tmp_path)
    assert len(clean) == 12 and int(clean, 16) >= 0
    (tmp_path / "untracked").touch()
    assert scope.commit(tmp_path) == clean
    (tmp_path / "file").write_text("2")
    assert scope.commit(tmp_path) == f"{clean} with changes"
    (tmp_path / "inside").mkdir()
    assert scope.commit(tmp_path / "inside") is None  # of somebody else's repository
    monkeypatch.setenv("PATH", str(tmp_path))
    assert scope.commit(tmp_path) is None  # no git


def test_source_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(scope, "_PACKAGE", tmp_path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "inside" / "b.py").write_text("2")
    before = scope.source_hash()
    (tmp_path / "c.txt").write_text("3")
    (tmp_path / ".#a.py").symlink_to("someone@somewhere.12")  # of Emacs, while a.py is not saved
    assert scope.source_hash() == before
    (tmp_path / "inside" / "b.py").write_text("3")
    changed = scope.source_hash()
    assert changed != before
    (tmp_path / "inside" / "b.py").rename(tmp_path / "inside" / "c.py")
    renamed = scope.source_hash()
    (tmp_path / "d.cc").write_text("4")
    assert len({before, changed, renamed, scope.source_hash()}) == 4


def test_engine(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "gfootball_engine", raising=False)
    assert scope.engine() == "not installed"
    package = tmp_path / "gfootball_engine"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('it was loaded')")
    (package / "_gameplayfootball.so").write_bytes(b"machine code")
    importlib.invalidate_caches()
    stock = scope.engine()
    assert stock.endswith("(flags not recorded)")
    (tmp_path / "gfootball-build.json").write_text(json.dumps({"cxxflags": "-O3"}))
    assert scope.engine() == stock.replace("flags not recorded", "-O3")
    (package / "_gameplayfootball.so").write_bytes(b"machine  ode")
    scope._hash_of_files.cache_clear()  # it does not change while a process runs
    assert scope.engine().split()[0] != stock.split()[0]


def test_scenarios(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "gfootball", raising=False)
    assert scope.scenarios(["mine"]) == {}
    folder = tmp_path / "gfootball" / "scenarios"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('it was loaded')")
    importlib.invalidate_caches()
    found = []
    for program in ("a", "b"):
        (folder / "mine.py").write_text(program)
        found.append(scope.scenarios(["mine", "nobody's"]))
    assert found[0] != found[1]
    assert list(found[0]) == list(found[1]) == ["scenario mine"]


def test_package_that_is_not_installed():
    assert scope.package_version("hts-tf-nothing") == "not installed"


@pytest.mark.parametrize(
    ("cpuinfo", "model", "features"),
    [
        ("model name\t: Fast\nflags\t: fpu fma avx2\n\nmodel name\t: Slow\n", "Fast", "avx2 fma"),
        ("processor\t: 0\nFeatures\t: fp asimd sve\n", None, "asimd sve"),
        ("processor\t: 0\n", None, ""),
    ],
)
def test_processor(tmp_path, cpuinfo, model, features):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    actual = scope.processor(tmp_path / "cpuinfo")
    assert actual[1] == features.split()
    assert actual[0] == model if model else actual[0]


def test_environment_variables():
    environment = {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_VAR_password": "secret",
        "HOME": "/",
    }
    expected = "ONEDNN_MAX_CPU_ISA=AVX2 TF_ENABLE_ONEDNN_OPTS=0"
    assert scope.environment_variables(environment) == expected
    assert scope.environment_variables({}) == ""
