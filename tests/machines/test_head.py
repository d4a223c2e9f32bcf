import errno
import os
import tempfile
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from hts_tf import errors
from hts_tf.files import scope
from hts_tf.machines import head, ray_cluster
from tests.machines.listed_nodes import cluster

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="the extra 'cluster' is not installed"
)


def machines(ray):
    return head.Machines(ray, head.Wishes(4, 300.0, 0.0), seed=0, are_on_one=False)


def refused_for_having(what):
    return pytest.raises(errors.ConfigError, match=f"--num_machines=4: the cluster has {what}")


def test_machines_of_a_cluster_that_have_not_joined_yet_are_not_made_up_here():
    with refused_for_having("1 machine;"):
        machines(cluster(dead=["b"], here=4.0, b=4.0)).assemble()


def test_followers_need_nodes_with_a_processor():
    """The first machine needs none that Ray counts: it may be a head with `--num-cpus=0`."""
    with refused_for_having("3 machines;"):
        machines(cluster(here=0.0, a=4.0, b=0.5, c=1.0, d=0.0)).assemble()
    assert ray_cluster.of_machines(cluster(b=4.0, a=1.0, c=0.0)) == ["a", "b"]


def test_the_address_of_a_cluster(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert ray_cluster.address(None) is None
    monkeypatch.setenv("RAY_ADDRESS", "")
    assert ray_cluster.address(None) is None
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert ray_cluster.address(None) == "10.0.0.1:6379"
    assert ray_cluster.address("auto") == "auto"


def test_where_all_directories_for_a_ray_of_our_own_are_too_long(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 8)))
    monkeypatch.setattr(os, "access", lambda *_: False)  # all others
    refused = pytest.raises(errors.ConfigError, match="set TMPDIR to a directory whose name")
    with refused, ray_cluster.connected(None, 1):
        pass


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (errors.ConfigError("too little memory"), "machine 2: too little memory"),
        (errors.RunError("no more"), "machine 2: no more"),
        (OSError(errno.ENOSPC, "No space left", "/tmp/x"), "machine 2: /tmp/x: No space left"),
    ],
)
def test_what_has_failed_elsewhere_says_where(cause, said):
    found = head._named(SimpleNamespace(cause=cause), 2)
    assert str(found) == said
    assert isinstance(found, errors.ConfigError) == isinstance(cause, errors.ConfigError)


def test_what_nobody_expected_elsewhere_keeps_its_traceback():
    error = SimpleNamespace(cause=ValueError("x"))
    assert head._named(error, 2) is error


@pytest.fixture
def answering():
    """A Ray whose machines answer at once."""
    return SimpleNamespace(
        get=lambda answers, timeout: answers,
        wait=lambda answers, num_returns, timeout: (answers, []),
        exceptions=SimpleNamespace(RayError=OSError),
    )


def test_machines_that_do_not_begin_are_told_of(answering, capfd):
    first, here = machines(answering), scope.describe()
    scopes = [SimpleNamespace(remote=lambda: here)] * 3
    first._hired = [SimpleNamespace(actor=SimpleNamespace(scope=one)) for one in scopes]
    answering.wait = lambda answers, num_returns, timeout: (answers[:1], answers[1:])
    first._compare()
    assert "2 of 3 other machines have not begun after 60 s" in capfd.readouterr().err


def test_what_is_compared_is_the_code_that_runs_not_what_is_on_the_disk_now(answering, monkeypatch):
    first, here = machines(answering), scope.describe()
    answer = SimpleNamespace(remote=lambda: here)
    first._hired = [SimpleNamespace(actor=SimpleNamespace(scope=answer))]
    monkeypatch.setattr(scope, "source_hash", lambda *_: "edited since")
    first._compare()


def test_another_kind_of_machine_is_warned_of_once_and_other_software_refused(answering, capfd):
    first, here = machines(answering), scope.describe()

    def warned_of(**others):
        answer = SimpleNamespace(remote=lambda: {**here, **others})
        first._hired = [SimpleNamespace(actor=SimpleNamespace(scope=answer))]
        first._compare()
        return capfd.readouterr().err

    assert "machine 1 has processor old, this one " in warned_of(processor="old")
    assert not warned_of(processor="old"), "the run has begun again"
    assert "machine 1 has processor older, this one " in warned_of(processor="older")
    with pytest.raises(errors.ConfigError, match=r"has numpy 0\.1, this one .*: install"):
        warned_of(numpy="0.1")
