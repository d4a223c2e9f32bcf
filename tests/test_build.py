import importlib
from unittest import mock

import gin
import pytest

from hts_tf import candidates, errors
from hts_tf.algorithms.ppo import PPO
from hts_tf.build import build
from hts_tf.environments.football.football import Football
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files.evaluations import Evaluation, Evaluations
from hts_tf.files.fingerprint_log import CELLS, TABLE
from hts_tf.files.policies import Snapshots
from hts_tf.networks import sketch
from hts_tf.opponents.pool import Opponents
from hts_tf.schedules.hts import HTS
from hts_tf.settings import Settings
from hts_tf.system import compute, memory
from hts_tf.team import MachineLostError
from tests.guessing import Guessing

build_module = importlib.import_module("hts_tf.build")

pytestmark = pytest.mark.usefixtures("clean_gin")


class Forgetful(PPO):
    """An algorithm that takes every step by itself."""

    recurrent = False


def refused(bindings, tmp_path, algorithm=PPO, environment=None, **settings):
    """What `build` says of settings that do not go together."""
    gin.parse_config(bindings)
    game = environment or Synthetic()
    settings = Settings(environment=game, algorithm=algorithm(), schedule=HTS, **settings)
    with pytest.raises(errors.ConfigError) as refusal:
        build(settings, str(tmp_path / "run"), seed=0)
    assert not (tmp_path / "run").exists()
    return str(refusal.value)


def test_a_core_needs_an_algorithm_that_learns_from_sequences(tmp_path):
    says = refused("ActorCritic.core = @lstm", tmp_path, Forgetful)
    assert says == (
        "Trainer.algorithm = @Forgetful() cannot train an agent that remembers: "
        "leave ActorCritic.core unbound (see docs/design.md#memory)"
    )


@pytest.mark.parametrize(
    ("bindings", "says"),
    [
        ("ActorCritic.sequence_length = 7", "ActorCritic.sequence_length = 7 does not divide"),
        ("ActorCritic.sequence_length = 129", "does not divide Trainer.sync_interval = 128"),
        ("ActorCritic.value_torso = @mlp", "ActorCritic.value_torso has no memory"),
    ],
)
def test_what_does_not_go_with_a_core(bindings, says, tmp_path):
    assert says in refused(f"ActorCritic.core = @gru\n{bindings}", tmp_path)


@pytest.mark.parametrize(
    ("bindings", "says"),
    [
        (
            "Trainer.environment = @Tasks()\nTasks.environments = (@Synthetic(), @Synthetic())\n"
            "Trainer.curriculum = @Curriculum()\nCurriculum.rule = @by_progress\n"
            "by_progress.explore = 1.0",
            "Curriculum.rule never moves",
        ),
        (
            "Trainer.environment = @Football()\nFootball.scenario = '1_vs_1_easy'\n"
            "Football.right_players = 1\nFootball.representation = 'relative'\n"
            "Trainer.opponents = @Opponents()\n"
            "Opponents.scripted = (@Always,)\nAlways.action = 99",
            "Always.action",
        ),
        (
            "Trainer.environment = @Football()\nFootball.scenario = '1_vs_1_easy'\n"
            "Football.right_players = 1\nFootball.representation = 'relative'\n"
            "Trainer.opponents = @Opponents()\nTrainer.total_env_steps = 100_000",
            "nobody would join the pool in 49 updates: .* Opponents.snapshot_every_updates",
        ),
    ],
)
def test_what_is_to_be_played_is_tried_before_anything_is_trained(bindings, says):
    candidate = candidates.Candidate("synthetic", "hts_ppo", (), bindings.splitlines())
    with pytest.raises(errors.ConfigError, match=says):
        candidates.check(candidate)


def test_opponents_are_counted_in_what_memory_must_suffice_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(memory, "require", lambda nbytes, advice: asked.append(nbytes))
    monkeypatch.setattr(build_module, "Pool", mock.Mock(side_effect=ZeroDivisionError))
    for pool_size in (1, 5):
        gin.clear_config()
        settings = Settings(
            environment=Football(scenario="5_vs_5", left_players=1, right_players=1),
            algorithm=PPO(),
            schedule=HTS,
            opponents=Opponents(pool_size=pool_size),
        )
        with pytest.raises(ZeroDivisionError):
            build(settings, str(tmp_path / "run"), seed=0)
    agent = sketch.nbytes(sketch.sketch(settings.environment.spec))
    assert asked[1] - asked[0] == 4 * agent


def test_memory_that_does_not_suffice_names_what_takes_it(tmp_path):
    says = refused("", tmp_path, environment=Guessing(own=1, rivals=0, length=10**12))
    assert "lower Trainer.num_envs, how long an episode may be, now 1,000,000,000,000 env" in says
    says = refused("", tmp_path, sync_interval=10**12)
    assert "lower Trainer.num_envs, Trainer.sync_interval, Opponents.pool_size or what the" in says


def test_minibatches_are_of_whole_sequences(tmp_path):
    def algorithm():
        return PPO(num_minibatches=32)

    says = refused("ActorCritic.core = @gru", tmp_path, algorithm)
    assert "PPO.num_minibatches = 32 does not divide the 16 sequences" in says


def first_agent(workdir, seed=0, **settings):
    """What a run begins with, which ends before its first round."""
    pipeline = build(
        Settings(environment=Synthetic(), algorithm=PPO(), schedule=HTS, **settings),
        str(workdir),
        seed,
    )
    pipeline.close()
    return pipeline.learner.agent


def test_a_run_that_cannot_begin_leaves_its_workdir_to_another(tmp_path):
    with pytest.raises(errors.ConfigError, match="holds no run"):
        first_agent(tmp_path / "run", start_from=str(tmp_path / "nowhere"))
    assert not (tmp_path / "run" / "config.gin").exists()
    first_agent(tmp_path / "run", num_envs=32)
    # But what was there before the refusal stays.
    with pytest.raises(errors.ConfigError, match="holds no run"):
        first_agent(tmp_path / "run", num_envs=32, start_from=str(tmp_path / "nowhere"))
    assert (tmp_path / "run" / "config.gin").exists()


def test_a_run_that_was_killed_at_once_begins_with_the_same_policy_again(tmp_path):
    """Whatever has become of the run that this was from."""
    agents = [first_agent(tmp_path / f"seed{seed}", seed) for seed in range(2)]
    hashes = [agent.parameters_hash() for agent in agents]
    assert hashes[0] != hashes[1]
    snapshots, name = Snapshots(tmp_path / "seed0"), f"{tmp_path / 'seed0'}@7"

    def begins(run):
        return first_agent(tmp_path / run, seed=5, start_from=name).parameters_hash()

    snapshots.save(7, agents[0])
    assert begins("one") == hashes[0]
    snapshots.save(7, agents[1])
    assert begins("one") == hashes[0]
    # What a run has left that is gone is not that of the next one.
    gone, evaluations = Snapshots(tmp_path / "two"), Evaluations(tmp_path / "two")
    gone.save(3, agents[0])
    row = Evaluation(3, 300, 5, 1.0, 1.0, 7.5)
    evaluations.end(evaluations.add(agents[0], 3, 300), row)
    waiting = evaluations.add(agents[0], 4, 400)
    fingerprints = [tmp_path / "two" / name for name in (TABLE, CELLS)]
    for file in fingerprints:
        file.touch()
    assert evaluations.read() == [row]
    assert begins("two") == hashes[1]
    assert not gone.numbers()
    assert not evaluations.read()
    assert evaluations.best_state() is None
    assert not waiting.exists()
    assert not any(file.exists() for file in fingerprints)


class Lost:
    """A team of two, of whom the other is lost when they have only compared what they play."""

    number, size, lost, waited_sec = 0, 2, None, 0.0

    def __init__(self):
        self._has_compared = False

    def all_gather(self, item):
        if self._has_compared:
            raise MachineLostError("machine 1 is lost")
        self._has_compared = True
        return [item, item]

    def all_gather_array(self, array, channel):
        raise AssertionError


def test_a_workdir_is_free_again_if_a_machine_is_lost_at_the_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(compute, "require_inter_op_threads", lambda *_: None)
    settings = Settings(environment=Synthetic(), algorithm=PPO(), schedule=HTS, num_shards=2)
    kept = []
    for _ in range(2):
        with pytest.raises(MachineLostError) as lost:
            build(settings, str(tmp_path), seed=0, team=Lost())
        kept.append(lost)  # with the frames of the call, and what they hold
    build(settings, str(tmp_path), seed=0).close()
