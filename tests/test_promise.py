"""The promise for every kind of game, action and memory: the same bits, whatever dies meanwhile.

Through the command line. Two runs of each game are compared, byte for byte.
"""

import os
import random
import signal

import pytest

from hts_tf import config
from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files import archive
from hts_tf.files.curves import RunLog
from hts_tf.files.workdir import Workdir
from hts_tf.opponents import pool, roster
from hts_tf.watching import playback
from tests import command_line, patience
from tests.dropped import dropped
from tests.sameness import assert_same, rows_of, wait_for_rows

pytestmark = pytest.mark.slow

# Five against five as in 5_vs_5, but in front of a goal, and soon over: so there are results.
SHORT_MATCH = """
from . import *

def build_scenario(builder):
  builder.config().game_duration = 30
  teams = [Team.e_Left, Team.e_Right]
  attacks = teams.pop(builder.EpisodeNumber() % 2)
  builder.SetBallPosition(0.95 if attacks == Team.e_Left else -0.95, 0.0)
  for team, x in ((attacks, 0.9), (*teams, -0.1)):
    builder.SetTeam(team)
    builder.AddPlayer(-0.8, 0.3, e_PlayerRole_GK, controllable=False)
    for y, role in enumerate([e_PlayerRole_RM, e_PlayerRole_CF, e_PlayerRole_LB, e_PlayerRole_CB]):
      builder.AddPlayer(x, 0.03 * y - 0.04, role)
"""
BINDINGS = [
    "Trainer.num_envs = 6",
    "Trainer.sync_interval = 8",
    "Trainer.checkpoint_every_updates = 3",
]
MATCHES = "four players of each team of football, and a pool"
SHORT = "Gymnasium.max_episode_steps = 13"
GAMES = {
    "Pong": [
        "--scenario=ALE/Pong-v5",
        "Gymnasium.max_episode_steps = 61",  # a reset takes as long as 200 env steps
        "PPO.epochs = 1",
        "PPO.num_minibatches = 2",
        *command_line.SMALL_CNN,
    ],
    # Normalises observations and rewards, and has two torsos.
    "HalfCheetah": [
        "--scenario=HalfCheetah-v5",
        SHORT,
        "Gymnasium.bounded_by = 'tanh'",
        "PPO.epochs = 2",
        "PPO.num_minibatches = 4",
    ],
    "a nested dict, and bools for an action": [
        "--scenario=tests.games:NestedWalk-v0",
        SHORT,
        "ActorCritic.normalise_observations = True",
    ],
    "a MultiDiscrete action": ["--scenario=tests.games:LeversWalk-v0", SHORT],
    "masks, with GRU and A2C": [
        "--scenario=tests.games:MaskedWalk-v0",
        "--method=hts_a2c",
        SHORT,
        "ActorCritic.core = @gru",
        "gru.units = 16",
    ],
    # Players who leave before others, each with a network of its own.
    "agents who are told who they are": [
        "--scenario=pettingzoo:tests.zoo",
        "PettingZoo.agent_indicator = True",
        "PettingZoo.kwargs = {'sizes': (3, 5, 4), 'masked': True}",
        "ActorCritic.torso = @by_agent",
    ],
    # What is played, whom it meets, and what is frozen, go by results so far.
    "both sides of football, a pool and a curriculum": [
        "--scenario=academy_3_vs_1_with_keeper",
        *command_line.FOOTBALL_PLAYERS,
        "PPO.epochs = 2",
        "Trainer.environment = @Tasks()",
        "Tasks.environments = (@ai/Football(), @Football())",
        "Football.left_players = 3",
        "Football.right_players = 2",
        "Football.critic_state = True",
        "ai/Football.right_players = 0",
        "Trainer.curriculum = @Curriculum()",
        "Curriculum.rule = @by_progress",
        "Curriculum.window = 2",
        "Curriculum.success = -0.5",
        "Trainer.opponents = @Opponents()",
        "Opponents.scripted = (@Always,)",
        "Opponents.snapshot_every_updates = 4",
        "Opponents.pool_size = 3",
    ],
    MATCHES: [
        "--scenario=short_match",
        *command_line.FOOTBALL_PLAYERS,
        "PPO.epochs = 2",
        "Football.right_players = 'all'",
        "Trainer.opponents = @Opponents()",
        "Opponents.snapshot_every_updates = 4",
        "Opponents.pool_size = 3",
        "Opponents.weighting = @prioritised",
    ],
    "LSTM": [
        "--scenario=recall",
        "lstm.units = 10",  # no multiple of 16: actors must pad their batches
        "ActorCritic.sequence_length = 4",
        "PPO.num_minibatches = 4",
    ],
}


@pytest.fixture(scope="module", params=GAMES)
def game(request):
    """The flags of a game."""
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of gfootball with one more scenario, which this process knows, too."""
    folder = tmp_path_factory.mktemp("site")
    with dropped(folder, {"short_match": SHORT_MATCH}):
        yield folder


@pytest.fixture(scope="module")
def reference(game, folder, tmp_path_factory):
    """The workdir of a run that nothing happened to."""
    workdir = tmp_path_factory.mktemp("reference")
    with start(game, workdir, folder, num_executors=1, num_actors=1) as process:
        finish(process)
    return workdir


def has_most(game):
    """Whether more is kept than of others, so that more may happen to it."""
    return "pool" in game


def num_updates(game):
    return 32 if has_most(game) else 11  # two for each time that one of its processes is ended


def start(game, workdir, folder, *more, **workers):
    bindings = [f"Trainer.{name} = {number}" for name, number in workers.items()]
    bindings.append(f"Trainer.total_env_steps = {num_updates(game) * 8 * 6}")
    flags = [
        flag if flag.startswith("--") else f"--gin_bindings={flag}"
        for flag in (*GAMES[game], *BINDINGS, *bindings)
    ]
    flags = [f"--workdir={workdir}", *flags, *more]
    return command_line.start("hts_tf.train", *flags, pythonpath=[folder])


def finish(process, code=0):
    found, _, errors = command_line.finish(process)
    assert found == code, errors
    assert "Traceback" not in errors
    assert not executors_of(process.pid)


def newest(workdir, kind):
    """Returns the number of the newest file of a kind; 0 without any.

    Snapshots have those of their updates, checkpoints those of the updates that come next.
    """
    return max((int(path.stem) for path in (workdir / kind).glob("*.ckpt")), default=0)


def wait_for_a_snapshot_alone(workdir, process, rows):
    """Waits for one that no checkpoint knows of yet, so that a resumed run takes it again."""
    while newest(workdir, "snapshots") < newest(workdir, "checkpoints"):
        patience.allow(workdir, rows + 2)
        rows = wait_for_rows(workdir, rows + 1, process)


def test_every_episode_can_be_replayed(game, reference, clean_gin):
    workdir = Workdir(reference)
    environment = config.environment_in(workdir.configuration(), workdir.config, ["tests"])
    player = environment.make()
    records = archive.read(workdir.archive)
    for record in records:
        playing = playback.Playback(player, environment.spec, record)
        assert len(list(playing)) == 1 + record.length
        assert playing.disagreements() == []
    player.close()
    # Some are truncated, some have terminated.
    lengths = [record.length for record in records]
    limit = environment.spec.max_episode_steps
    assert max(lengths) == limit or game == "LSTM" or "football" in game
    assert min(lengths) < limit or game in ("Pong", "HalfCheetah", MATCHES)
    if has_most(game):
        check_what_is_gone_by(game, reference, records)


def check_what_is_gone_by(game, workdir, records):
    """That there were results, which a run that is disturbed could get wrong."""
    assert any(record.against.startswith(roster.SNAPSHOT) for record in records)
    told = RunLog(workdir).series
    moved = {name for name in told if len({*told[name].values()}) > 1}
    if "curriculum" in game:
        assert "tasks/share/0" in moved
    else:
        assert "opponents/rating" in moved
        assert any(name.startswith(pool.WIN_RATE + roster.SNAPSHOT) for name in moved)


def test_executors_and_trainers_that_are_killed_or_stopped(game, reference, folder, tmp_path):
    """With other workers each time, of whose executors some are killed, too."""
    rows = 0
    ways = [[signal.SIGKILL, signal.SIGTERM][[*GAMES].index(game) % 2]]
    if has_most(game):
        ways = [signal.SIGKILL, signal.SIGTERM if "curriculum" in game else signal.SIGKILL]
    workers = [
        {"num_executors": 2 if has_most(game) else 4, "num_actors": 3, "actor_batch_size": 3},
        {"num_executors": 2, "num_actors": 3},
    ]
    for attempt, number in enumerate([*ways, None]):
        patience.allow(tmp_path, rows + 2)
        more = patience.FLAGS
        with start(game, tmp_path, folder, *more, **workers[attempt % 2]) as process:
            for _ in range(2 if has_most(game) else 1):
                rows = wait_for_rows(tmp_path, rows + 1, process)
                os.kill(random.choice(executors_of(process.pid)), signal.SIGKILL)
                while "was killed by SIGKILL" not in process.stderr.readline():
                    assert process.poll() is None
                patience.allow(tmp_path, rows + 2)
            if number is None:
                patience.allow(tmp_path)
                finish(process)
                break
            rows = wait_for_rows(tmp_path, rows + 1, process)
            if has_most(game) and number == signal.SIGKILL:
                wait_for_a_snapshot_alone(tmp_path, process, rows)
            process.send_signal(number)
            patience.allow(tmp_path)
            finish(process, -number if number == signal.SIGKILL else 128 + number)
        rows = rows_of(tmp_path)  # more than it had then; the next one is at work with another
        assert rows < num_updates(game)
    assert_same(tmp_path, reference, num_updates(game))
