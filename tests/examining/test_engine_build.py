import json
import sys

import pytest

from hts_tf.examining import engine_build
from hts_tf.examining.finding import Finding
from hts_tf.system import installation


@pytest.fixture
def engine_file(tmp_path, monkeypatch):
    """A stand-in for gfootball_engine, and an environment that the set-up has not touched."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    path = tmp_path / "gfootball_engine.py"
    path.touch()
    return path


def test_football_is_optional_where_neither_it_nor_a_checkout_is(monkeypatch):
    assert engine_build.is_wanted(), "a checkout sets it up"
    monkeypatch.setattr(installation, "set_up_script", lambda: None)
    monkeypatch.setattr(engine_build, "find_spec", lambda name: None)
    assert not engine_build.is_wanted()
    assert not engine_build.not_wanted().is_problem
    assert "get a checkout" in engine_build.not_wanted().detail


def test_engine_that_was_built_by_the_set_up(engine_file):
    flags = engine_build.build_settings()["CXXFLAGS"]
    build = {"cxxflags": flags, "patch": engine_build.engine_patch_hash()}
    engine_file.with_name("gfootball-build.json").write_text(json.dumps(build))
    assert engine_build.engine() == Finding("gfootball engine", f"loads; patched; {flags}")


@pytest.mark.parametrize("patch", [{}, {"patch": "of another version"}])
def test_engine_that_was_built_with_another_patch(engine_file, patch):
    build = {"cxxflags": engine_build.build_settings()["CXXFLAGS"], **patch}
    engine_file.with_name("gfootball-build.json").write_text(json.dumps(build))
    assert "patch" in engine_build.engine().detail
    assert engine_build.engine().command


def test_engine_that_was_built_with_other_flags(engine_file):
    engine_file.with_name("gfootball-build.json").write_text(json.dumps({"cxxflags": "-O0"}))
    assert "built with -O0" in engine_build.engine().detail
    assert engine_build.engine().command


def test_engine_that_was_not_built_by_the_set_up(engine_file):
    assert "not built by the set-up" in engine_build.engine().detail
    assert engine_build.engine().command


def test_engine_that_does_not_load(engine_file):
    engine_file.write_text("raise ImportError('libboost_python.so: no such file')")
    assert engine_build.engine().detail == "ImportError: libboost_python.so: no such file"
    assert engine_build.engine().command


def test_engine_for_another_processor(engine_file):
    engine_file.write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    assert engine_build.engine().detail == "importing it was killed by SIGILL"
