"""One result, whatever the number of learners and machines, and whatever becomes of them.

The machines are nodes of a real Ray cluster, all of them here.
"""

import contextlib
import os
import random
import secrets
import signal
import time
from pathlib import Path

import pytest

from hts_tf import compare_runs
from hts_tf.files import archive, fingerprint_log
from tests import command_line, processes

pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
pytestmark = pytest.mark.slow

NUM_SHARDS, NUM_UPDATES, NUM_NODES = 4, 12, 4
FILES = (fingerprint_log.TABLE, fingerprint_log.CELLS, archive.FILE_NAME)
BINDINGS = [
    f"Trainer.num_shards = {NUM_SHARDS}",
    "Trainer.num_envs = 8",
    "Trainer.sync_interval = 8",
    f"Trainer.total_env_steps = {NUM_UPDATES * 8 * 8}",
    "Trainer.checkpoint_every_updates = 3",
]
PLAYERS = [
    f"--gin_files={command_line.ROOT / 'gin_configs/football_players.gin'}",
    "PPO.epochs = 2",
]
# Opponents, which are files, and tasks, whose shares depend on the results of all machines.
BOTH_SIDES = [
    *PLAYERS,
    "Trainer.environment = @Tasks()",
    "Tasks.environments = (@ai/Football(), @Football())",
    "Football.left_players = 4",
    "Football.right_players = 2",
    "ai/Football.right_players = 0",
    "Trainer.curriculum = @Curriculum()",
    "Curriculum.rule = @by_progress",
    "Curriculum.window = 2",
    "Trainer.opponents = @Opponents()",
    "Opponents.snapshot_every_updates = 3",
]
# Normalises observations and rewards: statistics of all machines.
CHEETAH = ["--scenario=HalfCheetah-v5", "Gymnasium.max_episode_steps = 13"]
GAMES = {
    "synthetic, hts_ppo": ["--scenario=synthetic"],
    "synthetic, hts_a2c": ["--scenario=synthetic", "--method=hts_a2c"],
    "synthetic, ppo": ["--scenario=synthetic", "--method=ppo"],
    "football, hts_ppo": ["--scenario=academy_empty_goal_close"],
    "players, hts_ppo": ["--scenario=academy_3_vs_1_with_keeper", *BOTH_SIDES],
    "players, hts_a2c": [
        *("--scenario=academy_3_vs_1_with_keeper", "--method=hts_a2c"),
        f"--gin_files={command_line.ROOT / 'gin_configs/football_players.gin'}",
    ],
    "players, ppo": ["--scenario=academy_run_to_score", "--method=ppo", *PLAYERS],
    "HalfCheetah": [*CHEETAH, "PPO.num_minibatches = 4"],
}
# (game, machines); learners are tried with all games.
TEAMS = [
    *(("synthetic, hts_ppo", size) for size in (2, 3, 4)),
    ("synthetic, hts_a2c", 4),
    ("synthetic, ppo", 2),
    ("football, hts_ppo", 2),
    ("players, hts_ppo", 4),
    ("players, hts_a2c", 2),
    ("players, ppo", 4),
    ("HalfCheetah", 2),
]


class Nodes:
    """A cluster of nodes that can be killed."""

    def __init__(self):
        # Read by Ray when it is imported; nothing listens but on the loopback interface.
        os.environ.update(
            RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
            RAY_AUTH_MODE="token",
            RAY_AUTH_TOKEN=secrets.token_hex(32),
            RAY_USAGE_STATS_ENABLED="0",
        )
        from ray.cluster_utils import Cluster

        self._each = {
            "num_cpus": 4,
            "object_store_memory": 150 << 20,
            "node_ip_address": "127.0.0.1",
        }
        looks = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 500,
            "health_check_timeout_ms": 3000,
            "health_check_failure_threshold": 3,
        }
        head = {**self._each, "include_dashboard": False, "_system_config": looks}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._others = []
        self.complete()
        self.address = self._cluster.address

    def complete(self):
        """Adds nodes until there are as many as there shall be."""
        while len(self._others) < NUM_NODES - 1:
            self._others.append(self._cluster.add_node(**self._each, wait=False))
        self._cluster.wait_for_nodes()

    def kill(self):
        """Kills a node that is not the first, and all that runs there, at once."""
        node = self._others.pop(random.randrange(len(self._others)))
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self):
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes():
    before = dict(os.environ)
    made = Nodes()
    yield made
    made.close()
    os.environ.clear()
    os.environ.update(before)


def start(game, workdir, *flags):
    bindings = [
        flag if flag.startswith("--") else f"--gin_bindings={flag}"
        for flag in (*GAMES[game], *BINDINGS, *flags)
    ]
    return command_line.start("hts_tf.train", f"--workdir={workdir}", *bindings)


def finish(process):
    code, _, errors = command_line.finish(process)
    assert code == 0, errors
    assert "Traceback" not in errors, errors
    return errors


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Game -> the workdir of a run on one machine, with one learner."""
    known = {}

    def find(game):
        if game not in known:
            known[game] = tmp_path_factory.mktemp("calm") / "run"
            finish(start(game, known[game], "Trainer.num_learners = 1"))
        return known[game]

    return find


def assert_same(workdir, reference):
    same, text = compare_runs.compare(reference, workdir)
    assert same, text
    assert text == f"identical up to update {NUM_UPDATES}"
    for name in FILES:
        assert (workdir / name).read_bytes() == (reference / name).read_bytes(), name
    for path in reference.glob("snapshots/*.ckpt"):
        assert (workdir / path.relative_to(reference)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("game", GAMES)
def test_learners(game, calm, tmp_path):
    finish(start(game, tmp_path, "Trainer.num_learners = 4", "Trainer.num_executors = 3"))
    assert_same(tmp_path, calm(game))


@pytest.mark.parametrize(("game", "size"), TEAMS)
def test_machines(game, size, calm, nodes, tmp_path):
    errors = finish(
        start(game, tmp_path, f"--num_machines={size}", f"--ray_address={nodes.address}")
    )
    assert "lost" not in errors
    assert_same(tmp_path, calm(game))


def followers():
    """The processes of followers, by what Ray calls them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(b"ray::Follower"):
                found.append(int(path.parent.name))
    return found


def wait_for_rows(workdir, number, process):
    table = workdir / fingerprint_log.TABLE
    while not table.exists() or table.read_bytes().count(b"\n") <= number:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    time.sleep(random.uniform(0.0, 0.3))


def test_kills_of_nodes_and_workers(calm, nodes, tmp_path):
    """Ten on the way; after the last node that is killed, there is one machine less for good."""
    game = "synthetic, hts_ppo"
    blows = ["worker", "worker", "node", "worker", "worker", "worker", "node for good"]
    with start(
        game, tmp_path, f"--num_machines={NUM_NODES}", f"--ray_address={nodes.address}"
    ) as process:
        for number, blow in enumerate(blows):
            wait_for_rows(tmp_path, 1 + number, process)
            while not (there := followers()):
                time.sleep(0.05)
            if blow == "worker":
                os.kill(random.choice(there), signal.SIGKILL)
            else:
                nodes.kill()
                if blow == "node":
                    nodes.complete()
        errors = finish(process)
    assert errors.count("going on from the last sync point") >= len(blows) - 1
    assert "going on with 3 machines" in errors
    assert_same(tmp_path, calm(game))
    assert not processes.in_session(process.pid)
    deadline = time.monotonic() + 30
    while followers():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    nodes.complete()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--num_machines=5"], "--num_machines=5 must not exceed Trainer.num_shards = 4"),
        (
            ["--num_machines=5", "Trainer.num_shards = 8"],
            "--num_machines=5: the cluster has 4 machines",
        ),
        (
            ["--num_machines=2", "Compute.inter_op_threads = 2"],
            "Compute.inter_op_threads = 2 must be at least 4 with --num_machines",
        ),
        (["--num_machines=2", "PPO.num_minibatches = 5"], "PPO.num_minibatches = 5 does not"),
        (["Trainer.num_shards = 3"], "Trainer.num_shards = 3 does not divide Trainer.num_envs = 8"),
        (["Trainer.num_learners = 5"], "Trainer.num_learners = 5 must not exceed"),
        (["--method=impala"], "under Trainer.schedule = @Asynchronous"),
    ],
)
def test_what_is_refused(flags, says, nodes, tmp_path):
    process = start("synthetic, hts_ppo", tmp_path, f"--ray_address={nodes.address}", *flags)
    code, output, errors = command_line.finish(process)
    assert code == 2, errors
    assert says in errors
    assert len(errors.splitlines()) == 1, errors
    assert not output


def test_no_cluster(tmp_path):
    flags = ["--num_machines=2", "--ray_address=127.0.0.1:1"]
    code, _, errors = command_line.finish(start("synthetic, hts_ppo", tmp_path, *flags))
    assert code == 2, errors
    assert "--ray_address=127.0.0.1:1: no cluster that can be used" in errors
