from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from hts_tf import errors
from hts_tf.machines import distant_child
from tests import command_line

# On a node with one processor, which another has at first.
BUSY = """
import os, sys, time
from pathlib import Path
from hts_tf.machines import distant_child, ray_cluster

class Other:
    def is_here(self):
        return True

with ray_cluster.connected(None, 1) as ray:
    other = ray_cluster.hire(ray, Other, ray_cluster.nodes(ray)[0])
    assert ray.get(other.is_here.remote())
    os.chdir(sys.argv[1])
    (begin,) = distant_child.on_nodes(ray)
    with begin("this", [], log=Path("given_up.txt")) as child:
        assert not child.has_ended()
        child.ask_to_end()
        assert child.has_ended()
    with begin("this", [], log=Path("waited.txt")) as child:
        assert not child.has_ended()
        ray.kill(other)
        while not child.has_ended():
            time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'cluster' is not installed")
def test_on_a_node_that_is_busy_it_begins_later_or_never(tmp_path):
    code, _, complaints = command_line.run("tests.program", BUSY, tmp_path)
    assert code == 0, complaints
    assert "Beautiful is better than ugly" in (tmp_path / "waited.txt").read_text()
    assert not (tmp_path / "given_up.txt").exists()


def cluster(**processors):
    """A Ray with nodes of these names, the first of them this one."""
    here = SimpleNamespace(get_node_id=lambda: next(iter(processors)))
    nodes = [
        {"NodeID": name, "Alive": True, "Resources": {"CPU": number} if number else {}}
        for name, number in processors.items()
    ]
    return SimpleNamespace(get_runtime_context=lambda: here, nodes=lambda: nodes)


def test_only_on_nodes_with_a_processor():
    begins = distant_child.on_nodes(cluster(head=0.0, a=4.0, b=0.5, c=1.0))
    assert [begin.args[1] for begin in begins] == ["a", "c"]
    with pytest.raises(errors.ConfigError, match="no node counts a processor"):
        distant_child.on_nodes(cluster(head=0.0))
