"""One result, whatever the number of learners and machines, and whatever becomes of them.

The machines are nodes of a real Ray cluster, all of them here.
"""

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from hts_tf.system.processes import descendants
from tests import command_line, patience, processes, refusals, waiting
from tests.sameness import assert_same, rows_of, wait_for_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'cluster' is not installed"),
]

NUM_SHARDS, NUM_UPDATES, NUM_NODES = 4, 8, 3
BINDINGS = [
    f"Trainer.num_shards = {NUM_SHARDS}",
    "Trainer.num_envs = 8",
    "Trainer.sync_interval = 8",
    f"Trainer.total_env_steps = {NUM_UPDATES * 8 * 8}",
    "Trainer.checkpoint_every_updates = 3",
    "Trainer.num_executors = 1",
]
# Each costs an engine; for games in which neither opponents nor the curriculum want episodes.
FEW = ["Trainer.num_envs = 4", f"Trainer.total_env_steps = {NUM_UPDATES * 4 * 8}"]
# Every gradient is exchanged: several epochs and minibatches, but few.
PPO = ["PPO.epochs = 2", "PPO.num_minibatches = 2"]
# Learn from floats by other methods than `hts_ppo_fast`, too.
TEAM = [
    "Football.representation = 'relative'",
    "Football.action_mask = True",
    "Football.left_players = 'all'",
    "Football.shared_reward = True",
    "mlp.units = (32,)",
    *FEW,
]
# Opponents, which are files, and tasks, whose shares depend on the results of all machines.
BOTH_SIDES = [
    *command_line.FOOTBALL_PLAYERS,
    *PPO,
    "mlp.units = (32,)",
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
SLOW = "Synthetic.mean_step_sec = 0.05"  # so that there is time for what is to be done meanwhile
GAMES = {
    "synthetic, hts_ppo": ["--scenario=synthetic", *PPO],
    "football, hts_ppo": [
        "--scenario=academy_empty_goal_close",
        *PPO,
        *command_line.SMALL_CNN,
        *FEW,
    ],
    "players, hts_ppo": ["--scenario=academy_3_vs_1_with_keeper", *BOTH_SIDES],
    "players, hts_a2c": [
        *("--scenario=academy_3_vs_1_with_keeper", "--method=hts_a2c"),
        *TEAM,
    ],
    "players, ppo": ["--scenario=academy_run_to_score", "--method=ppo", *PPO, *TEAM],
    "HalfCheetah": [*CHEETAH, *PPO],
}
# The other games are played by machines below, where these are killed or hang.
TEAMS = ["football, hts_ppo", "HalfCheetah"]
OF_ITS_OWN = "players, hts_a2c"  # played on a cluster that begins and ends with the run


class Nodes:
    """A cluster of nodes, see `ray_nodes`."""

    def __init__(self):
        program = [sys.executable, "-m", "tests.machines.ray_nodes", str(NUM_NODES)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(program, cwd=command_line.ROOT, **pipes)
        self.address = self._process.stdout.readline().strip()
        assert self.address

    def tell(self, what):
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == "done"

    def close(self):
        self._process.stdin.close()
        assert self._process.wait() == 0


@pytest.fixture(scope="module")
def nodes():
    # Read by Ray when it is imported; nothing listens but on the loopback interface.
    settings = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # other tests are as nice
        # No workers that nobody asks for: most that are asked for have an environment of their own.
        "RAY_prestart_worker_first_driver": "0",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        made = Nodes()
        yield made
        made.close()


def arguments(game, workdir, *flags):
    bindings = [
        flag if flag.startswith("--") else f"--gin_bindings={flag}"
        for flag in (*BINDINGS, *GAMES[game], *flags)
    ]
    return [f"--workdir={workdir}", *bindings]


def start(game, workdir, *flags):
    return command_line.start("hts_tf.train", *arguments(game, workdir, *flags))


def finish(process):
    return went_well(*command_line.finish(process))


def went_well(code, _, errors):
    assert code == 0, errors
    # What Ray's own processes say when their node is killed is Ray's affair.
    ours = [line for line in errors.splitlines() if "(raylet)" not in line]
    assert "Traceback" not in "\n".join(ours), errors
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


@pytest.mark.parametrize("game", ["synthetic, hts_ppo", "players, hts_ppo"])
def test_learners(game, calm, tmp_path):
    """On one machine; where the others are played, each machine has several, too."""
    # Executors beside each other, too, where one costs no engine.
    executors = ["Trainer.num_executors = 3"] if game.startswith("synthetic") else []
    finish(start(game, tmp_path, "Trainer.num_learners = 4", *executors))
    assert_same(tmp_path, calm(game), NUM_UPDATES)


@pytest.mark.parametrize("game", TEAMS)
def test_machines(game, calm, nodes, tmp_path):
    errors = finish(start(game, tmp_path, "--num_machines=2", f"--ray_address={nodes.address}"))
    assert "lost" not in errors
    assert_same(tmp_path, calm(game), NUM_UPDATES)


def test_a_cluster_of_its_own(calm, tmp_path):
    patience.allow(tmp_path / "run", 2)
    with start(OF_ITS_OWN, tmp_path / "run", "--num_machines=2", *patience.FLAGS) as process:
        wait_for_rows(tmp_path / "run", 1, process)
        ours = descendants(process.pid)
        patience.allow(tmp_path / "run")
        assert len(ours) > 2
        assert "lost" not in finish(process)
    assert_same(tmp_path / "run", calm(OF_ITS_OWN), NUM_UPDATES)
    waiting.until(lambda: not [pid for pid in ours if processes.is_alive(pid)])


def followers():
    """The processes of this cluster's followers, by what Ray calls them."""
    ours = f"RAY_AUTH_TOKEN={os.environ['RAY_AUTH_TOKEN']}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            named = (path / "cmdline").read_bytes().startswith(b"ray::Follower")
            if named and ours in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def test_one_that_is_asked_to_stop_and_one_that_hangs(calm, nodes, tmp_path):
    """The first as when its node is taken away: the run is not over."""
    game = "players, ppo"
    flags = [
        *("--num_machines=2", f"--ray_address={nodes.address}"),
        "--machine_timeout_sec=30",
        "--machine_replacement_sec=0",
        *patience.FLAGS,
    ]
    patience.allow(tmp_path, 2)
    with start(game, tmp_path, *flags) as process:
        wait_for_rows(tmp_path, 1, process)
        (asked,) = followers()
        os.kill(asked, signal.SIGTERM)
        waiting.until(lambda: asked not in followers())
        patience.allow(tmp_path, 5)
        wait_for_rows(tmp_path, 4, process, at_most_sec=0.3)
        (hanging,) = followers()
        os.kill(hanging, signal.SIGSTOP)
        patience.allow(tmp_path)
        errors = finish(process)
        with contextlib.suppress(ProcessLookupError):  # Ray may have been able to
            os.kill(hanging, signal.SIGKILL)
    assert "machine 1 has not answered for 30 s (--machine_timeout_sec); going on from" in errors
    assert_same(tmp_path, calm(game), NUM_UPDATES)


# Machine 1 comes to a meeting, and stops before machine 0 has asked it for what it has there.
BETWEEN = """
import os, signal, sys, time
import numpy as np
from hts_tf import team
from hts_tf.machines import ray_cluster
from tests import waiting
with ray_cluster.connected(sys.argv[1], 1) as ray:
    from hts_tf.machines.exchange import Exchange, Meeting, RayTeam

    class Other:
        def pid(self):
            return os.getpid()

        def come(self, exchange):
            RayTeam(exchange, 1, 2).all_gather_array(np.zeros(1 << 16), 0)

    exchange = ray.remote(Exchange).options(max_concurrency=9).remote(2)
    other = ray_cluster.hire(ray, Other, ray_cluster.nodes(ray)[0])
    pid = ray.get(other.pid.remote())
    other.come.remote(exchange)
    waiting.until(lambda: ray.get(exchange.missing.remote(Meeting(0, 0))) == [0])
    os.kill(pid, signal.SIGSTOP)
    try:
        RayTeam(exchange, 0, 2, timeout_sec=5).all_gather_array(np.zeros(1 << 16), 0)
    except team.MachineLostError as error:
        print(error)
    finally:
        os.kill(pid, signal.SIGKILL)
"""


def test_one_that_hangs_between_coming_and_being_asked(nodes):
    code, said, errors = command_line.run("tests.program", BETWEEN, nodes.address)
    assert code == 0, errors
    assert (
        "machine 1 has not answered for 5 s (--machine_timeout_sec)\n" in said
    )  # and what Ray says of its death


def test_the_first_machine_stops_and_dies(calm, nodes, tmp_path):
    """And the run goes on, on other numbers of machines."""
    game = "players, hts_ppo"
    for size, number in ((2, signal.SIGTERM), (3, signal.SIGKILL)):
        flags = [f"--num_machines={size}", f"--ray_address={nodes.address}", *patience.FLAGS]
        rows = rows_of(tmp_path)
        patience.allow(tmp_path, rows + 3)
        with start(game, tmp_path, *flags) as process:
            wait_for_rows(tmp_path, rows + 2, process, at_most_sec=0.1)
            process.send_signal(number)
            patience.allow(tmp_path)
            code, _, errors = command_line.finish(process)
        assert code == (-9 if number == signal.SIGKILL else 143), errors
        waiting.until(lambda: not followers())
    finish(start(game, tmp_path))
    assert_same(tmp_path, calm(game), NUM_UPDATES)


def test_a_sweep(nodes, tmp_path, monkeypatch):
    """Its trials are the same here and on other nodes, which know files by the same names."""
    monkeypatch.chdir(tmp_path)
    Path("settings.gin").write_text("include 'others.gin'")
    Path("others.gin").write_text("PPO.epochs = 2")
    flags = [
        "--scenarios=synthetic",
        "--search=PPO.learning_rate = log(1e-6, 1e-1)",
        "--trials=2",
        "--at_once=2",
        "--gin_files=settings.gin",
        *(f"--gin_bindings={binding}" for binding in BINDINGS),
    ]
    found = []
    for where in ("--processes=2", f"--ray_address={nodes.address}"):
        output = tmp_path / str(len(found))
        command = [*flags, where, f"--output={output}"]
        [(code, _, errors)] = refusals.checked_here("sweep", [command])
        assert code == 0, errors
        rows = (output / "trials.csv").read_text().splitlines()
        found.append([row.rpartition(",")[0] for row in rows])  # but for the minutes
    assert found[0] == found[1]
    tables = sorted((tmp_path / "0").glob("*/*/fingerprints.csv"))
    assert len(tables) == 2
    for path in tables:
        there = tmp_path / "1" / path.relative_to(tmp_path / "0")
        assert there.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ["--num_machines=5", "Trainer.num_shards = 8"],
            "--num_machines=5: the cluster has 3 machines",
        ),
        (
            ["--num_machines=2", "Compute.inter_op_threads = 2"],
            "Compute.inter_op_threads = 2 must be at least 8 with --num_machines",
        ),
        (["--num_machines=2", "PPO.num_minibatches = 5"], "PPO.num_minibatches = 5 does not"),
    ],
)
def test_what_is_refused(flags, says, nodes, tmp_path):
    process = start("synthetic, hts_ppo", tmp_path, f"--ray_address={nodes.address}", *flags)
    code, output, errors = command_line.finish(process)
    assert code == 2, errors
    assert says in errors
    assert len(errors.splitlines()) == 1, errors
    assert not output


def test_kills_of_nodes_and_workers(calm, nodes, tmp_path):
    """After each of the last two nodes that are killed, there is one machine less for good.

    So no test after it has the nodes.
    """
    game = "synthetic, hts_ppo"
    blows = ["node and worker", "node", "worker", "node for good", "node for good"]
    flags = [
        *(f"--num_machines={NUM_NODES}", f"--ray_address={nodes.address}"),
        "--machine_replacement_sec=5",
        SLOW,
    ]
    with start(game, tmp_path, *flags) as process:
        for number, blow in enumerate(blows):
            wait_for_rows(tmp_path, 1 + number, process, at_most_sec=0.3)
            while not (there := followers()):
                assert process.poll() is None
                time.sleep(0.05)
            if blow != "worker":
                nodes.tell("kill")
            if blow == "node and worker":  # one that waits already for the run to begin again
                while "going on" not in process.stderr.readline():
                    assert process.poll() is None
                time.sleep(1.0)
                there = followers()
            if "worker" in blow:
                os.kill(random.choice(there), signal.SIGKILL)
            if blow in ("node", "node and worker"):
                nodes.tell("add")
        outcome = command_line.finish(process)
    errors = went_well(*outcome)
    assert errors.count("going on from the last sync point") >= len(blows) - 2
    assert "going on with 2 machines" in errors
    assert "going on with 1 machine\n" in errors
    assert_same(tmp_path, calm(game), NUM_UPDATES)
    assert not processes.in_session(process.pid)
    waiting.until(lambda: not followers())


# Before anybody looks for the cluster, at whose address there is none.
REFUSED_AT_ONCE = [
    (["--num_machines=5"], "--num_machines=5 must not exceed Trainer.num_shards = 4"),
    (["--num_machines=2", "--machine_timeout_sec=inf"], "--machine_timeout_sec="),
    (
        ["--num_machines=1", "--machine_timeout_sec=9"],
        "--machine_timeout_sec is of several machines: not with --num_machines=1",
    ),
    (
        ["--num_machines=1", "--machine_replacement_sec=9"],
        "--machine_replacement_sec is of several machines: not with --num_machines=1",
    ),
    (
        ["--num_machines=2", "Trainer.num_shards = 3"],
        "Trainer.num_shards = 3 does not divide Trainer.num_envs = 8",
    ),
    (["--num_machines=2", "Trainer.num_learners = 5"], "Trainer.num_learners = 5 must not exceed"),
    (["--num_machines=2", "--method=impala"], "under Trainer.schedule = @Asynchronous"),
]


def test_what_is_refused_at_once(tmp_path):
    address = "--ray_address=127.0.0.1:1"
    commands = [
        arguments("synthetic, hts_ppo", tmp_path, address, *flags) for flags, _ in REFUSED_AT_ONCE
    ]
    results = refusals.of("hts_tf.train", "train", commands)
    for result, (_, says) in zip(results, REFUSED_AT_ONCE, strict=True):
        refusals.check(result, says)


def test_no_cluster(tmp_path):
    flags = ["--num_machines=2", "--ray_address=127.0.0.1:1"]
    code, _, errors = command_line.finish(start("synthetic, hts_ppo", tmp_path, *flags))
    assert code == 2, errors
    assert "--ray_address=127.0.0.1:1: no cluster that can be used" in errors


def test_a_cluster_that_asks_for_a_token(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # in which there is none
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as something:
        address = f"127.0.0.1:{something.getsockname()[1]}"
        flags = ["--num_machines=2", f"--ray_address={address}"]
        process = start("synthetic, hts_ppo", tmp_path / "run", *flags)
        code, _, errors = command_line.finish(process)
    assert code == 2, errors
    [line] = errors.splitlines()
    assert f"--ray_address={address}: no cluster that can be used, or not with this token" in line
