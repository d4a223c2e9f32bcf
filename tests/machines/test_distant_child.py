import functools
import signal
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from hts_tf import errors, trainings
from hts_tf.machines import distant_child, ray_cluster
from hts_tf.system.stop_signals import Interrupted
from tests import command_line
from tests.machines.listed_nodes import cluster

# On a node with one processor, which another has at first.
PROGRAM = """
import os, sys, time
from pathlib import Path
from hts_tf import errors
from hts_tf.machines import distant_child, ray_cluster

class Other:
    def is_here(self):
        return True

with ray_cluster.connected(None, 1) as ray:
    other = ray_cluster.hire(ray, Other, ray_cluster.nodes(ray)[0])
    assert ray.get(other.is_here.remote())
    os.chdir(sys.argv[1])
    (begin,) = distant_child.on_nodes(ray)
    with begin("beside", [], log=Path("given_up.txt")) as child:
        assert not child.has_ended()
        child.ask_to_end()
        assert child.has_ended()
    with begin("beside", [], log=Path("waited.txt")) as child:
        assert not child.has_ended()
        ray.kill(other)
        while not child.has_ended():
            time.sleep(0.1)
    for log, directory in ((Path("gone/log.txt"), Path.cwd()), (Path("log.txt"), Path("/gone"))):
        Path.cwd = lambda: directory
        with begin("beside", [], log=log) as child:
            try:
                while not child.has_ended():
                    time.sleep(0.1)
            except errors.ConfigError as error:
                print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'cluster' is not installed")
def test_on_a_node_that_is_busy_or_has_other_directories(tmp_path):
    """It begins later, or never; and if it does, then where the command was given."""
    (tmp_path / "beside.py").write_text("from pathlib import Path; print(Path.cwd())")
    code, said, complaints = command_line.run("tests.program", PROGRAM, tmp_path)
    assert code == 0, complaints
    assert (tmp_path / "waited.txt").read_text() == f"{tmp_path}\n"
    assert not (tmp_path / "given_up.txt").exists()
    of_output, of_command = [line for line in said.splitlines() if "does not have" in line]
    assert f" does not have {tmp_path / 'gone'}: " in of_output
    assert " does not have /gone: " in of_command


def test_only_on_nodes_with_a_processor():
    begins = distant_child.on_nodes(cluster(head=0.0, a=4.0, b=0.5, c=1.0))
    assert [begin.args[1] for begin in begins] == ["a", "c"]
    with pytest.raises(errors.ConfigError, match="no node counts a processor"):
        distant_child.on_nodes(cluster(head=0.0))


def test_a_signal_that_comes_while_ray_is_asked(monkeypatch, tmp_path, unwinding):
    """All trainings are asked to end, as if it had come at another time."""
    asked = []
    signals = iter([None, None, signal.SIGTERM])  # in the third wait, when both have begun

    def wait(references, timeout):  # as Ray's, which is compiled code
        try:
            if number := next(signals, None):
                signal.raise_signal(number)
        except Interrupted as error:
            raise SystemError from error
        return references, []

    def remote(call):
        return SimpleNamespace(remote=call)

    def hire(_, __, node):
        return SimpleNamespace(
            begin=remote(lambda *_: ""),
            outcome=remote(lambda: SimpleNamespace(error="", ended=node in asked)),
            ask_to_end=remote(lambda: asked.append(node)),
        )

    def task(node):
        begin = functools.partial(distant_child.DistantChild, ray, node)
        return trainings.Training(node, tmp_path / node, [], [], []).steps(begin=begin)

    ray = SimpleNamespace(wait=wait, get=lambda reference: reference, kill=lambda _: None)
    monkeypatch.setattr(ray_cluster, "hire", hire)
    monkeypatch.setattr(trainings, "_POLL_SEC", 0.0)
    with pytest.raises(Interrupted):
        trainings.together([task, task], ["a", "b"])
    assert sorted(asked) == ["a", "b"]
