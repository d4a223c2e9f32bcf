import os
import tempfile
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from hts_tf import errors
from hts_tf.machines import head, ray_cluster

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="the extra 'cluster' is not installed"
)


def test_machines_of_a_cluster_that_have_not_joined_yet_are_not_made_up_here():
    here = SimpleNamespace(get_node_id=lambda: "0")
    nodes = [{"NodeID": "0", "Alive": True, "Resources": {}}, {"NodeID": "1", "Alive": False}]
    ray = SimpleNamespace(get_runtime_context=lambda: here, nodes=lambda: nodes)
    machines = head.Machines(ray, head.Wishes(4, 300.0, 0.0), seed=0, are_on_one=False)
    with pytest.raises(errors.ConfigError, match="--num_machines=4: the cluster has 1 machine;"):
        machines.assemble()


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
