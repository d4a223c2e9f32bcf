import csv
import dataclasses
import functools

import numpy as np
import pytest

from hts_tf import evaluator, specs, tournament
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests import command_line

NUM_ACTIONS = 4
PLAYERS = "gin_configs/football_players.gin"


@dataclasses.dataclass(frozen=True)
class Bidding:
    """Two against one: who bids more has the difference, in each of three env steps."""

    @property
    def spec(self):
        return specs.EnvironmentSpec(
            specs.ArraySpec((2,), "float32"),
            specs.DiscreteSpec(num_values=NUM_ACTIONS),
            max_episode_steps=3,
            num_players=3,
            num_rivals=1,
        )

    def make(self):
        return _Auction()


class _Auction(base.Environment):
    def reset(self, seed, observation):
        self._steps = 0
        observation[...] = seed % 7

    def step(self, action, observation):
        self._steps += 1
        observation[...] = self._steps
        gained = float(action[0]) + float(action[1]) - 2 * float(action[2])
        scores = np.array([gained / 2, gained / 2, -gained])
        over = self._steps == 3
        return base.StepResult(scores, scores, np.full(3, over), np.zeros(3, bool))

    def close(self):
        pass


def policy_that_bids(action):
    agent = ActorCritic(Bidding().spec, 0, functools.partial(torsos.mlp, units=(5,)))
    for variable in agent.variables:
        variable.assign(np.zeros(variable.shape))
    [bias] = [v for v in agent.variables if v.shape == (NUM_ACTIONS,)]
    bias.assign(100.0 * np.eye(NUM_ACTIONS)[action])
    return Policy(agent, 12)


@pytest.mark.parametrize(("own", "others"), [(3, 1), (0, 2), (2, 2)])
def test_each_side_is_played_by_its_own(op_determinism, own, others):
    records = evaluator.evaluate(
        Bidding(), policy_that_bids(own), 5, seed=0, max_parallel=4, rivals=policy_that_bids(others)
    )
    assert [record.score for record in records] == [3.0 * (own - others)] * 5
    actions = np.frombuffer(records[0].actions, np.uint8).reshape(3, 3)
    assert actions.tolist() == [[own, own, others]] * 3


def test_without_others_a_policy_plays_itself(op_determinism):
    records = evaluator.evaluate(Bidding(), policy_that_bids(2), 3, seed=0, max_parallel=2)
    assert [record.score for record in records] == [0.0] * 3


def test_points():
    matches = [
        tournament.Match(0, 1, wins=3, draws=1, losses=2, goals=1.0),
        tournament.Match(1, 0, wins=4, draws=2, losses=0, goals=5.0),
        tournament.Match(0, 2, wins=6, draws=0, losses=0, goals=9.0),
    ]
    expected = [[0, 3.5 + 1, 6], [2.5 + 5, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(tournament.points(matches, 3), expected)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of both sides of a small match, with snapshots of updates 2 and 4."""
    workdir = tmp_path_factory.mktemp("trained")
    code, _, errors = command_line.run(
        "hts_tf.train",
        "--scenario=1_vs_1_easy",
        f"--workdir={workdir}",
        f"--gin_files={command_line.ROOT / PLAYERS}",
        "--gin_bindings=Football.right_players = 'all'",
        "--gin_bindings=Trainer.opponents = @Opponents()",
        "--gin_bindings=Opponents.snapshot_every_updates = 2",
        "--gin_bindings=Trainer.num_envs = 4",
        "--gin_bindings=Trainer.sync_interval = 16",
        "--gin_bindings=Trainer.total_env_steps = 256",
    )
    assert code == 0, errors
    return workdir


@pytest.mark.slow
def test_on_football(trained, tmp_path):
    names = [f"{trained}@2", f"{trained}@4", str(trained)]
    command = [f"--workdirs={','.join(names)}", "--episodes=2"]
    code, output, errors = command_line.run(
        "hts_tf.tournament", *command, f"--output={tmp_path / 'ours'}"
    )
    assert code == 0, errors
    assert "95 % interval" in output
    with (tmp_path / "ours.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["participant"] for row in rows} == set(names)
    assert sum(float(row["rating"]) for row in rows) == pytest.approx(0, abs=0.2)
    assert all(row["matches"] == "8" for row in rows)
    with (tmp_path / "ours_matches.csv").open() as file:
        matches = list(csv.DictReader(file))
    assert len(matches) == 6
    # Update 4 was the last one.
    outcome = {(m["left"], m["right"]): tuple(m.values())[2:] for m in matches}
    assert outcome[names[1], names[0]] == outcome[names[2], names[0]]
    assert (tmp_path / "ours.png").stat().st_size > 1000
    again = command_line.run("hts_tf.tournament", *command, f"--output={tmp_path / 'again'}")
    assert again[0] == 0
    for name in ("{}.csv", "{}_matches.csv"):
        one, other = (tmp_path / name.format(which) for which in ("ours", "again"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("participants", "flags", "says"),
    [
        ("{0}", [], "must name two participants or more"),
        ("{0},{0}", [], "each once"),
        ("{0},{0}@3", [], "000000003.ckpt cannot be read"),
        ("{0},{1}/nowhere", [], "holds no run"),
        ("{0},{0}@2", ["--scenario=academy_3_vs_1_with_keeper"], "no match has two such sides"),
    ],
)
def test_what_is_refused(trained, tmp_path, participants, flags, says):
    names = participants.format(trained, tmp_path)
    code, _, errors = command_line.run(
        "hts_tf.tournament", f"--workdirs={names}", *flags, f"--output={tmp_path / 'x'}"
    )
    assert code == 2
    assert says in errors
    assert len(errors.strip().splitlines()) == 1
