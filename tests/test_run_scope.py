from types import SimpleNamespace

import pytest

from hts_tf import errors, run_scope
from hts_tf.system import compute


def team(*others, number=0):
    """One whose machines have this one's GPUs, and what they say besides."""

    def all_gather(item):
        return [item, *({"GPUs": item["GPUs"], **other} for other in others)]

    return SimpleNamespace(number=number, all_gather=all_gather)


def test_environments_that_differ_between_machines():
    first = {"mujoco": "3.3.1", "module mine": "0123"}
    run_scope.check_alike(team(first, {"mujoco": "3.3.1"}), first)
    with pytest.raises(errors.ConfigError, match="machine 1 has module mine 4567, machine 0 0123"):
        run_scope.check_alike(team({**first, "module mine": "4567"}), first)


def test_gpus_that_differ_between_machines(monkeypatch, capfd):
    monkeypatch.setattr(compute, "describe", lambda: {"GPUs": "H200"})
    run_scope.check_alike(team({}), {})
    run_scope.check_alike(team({"GPUs": "none"}, number=1), {})
    assert not capfd.readouterr().err
    run_scope.check_alike(team({}, {"GPUs": "none"}), {})
    assert "warning: machine 2 has GPUs none, machine 0 H200: if it" in capfd.readouterr().err
    run_scope.check_alike(team({}, {"GPUs": "none"}), {})
    assert not capfd.readouterr().err, "the run has begun again"
    run_scope.check_alike(team({}, {"GPUs": "A100"}), {})
    assert "warning: machine 2 has GPUs A100, machine 0 H200: if" in capfd.readouterr().err
