import dataclasses

import gin
import pytest

from hts_tf import config, errors
from hts_tf.algorithms import algorithm
from hts_tf.algorithms.a2c import A2C
from hts_tf.algorithms.impala import IMPALA
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.curriculum.curriculum import Curriculum
from hts_tf.environments.synthetic import Synthetic
from hts_tf.environments.tasks import Tasks
from hts_tf.schedules.asynchronous import Asynchronous
from hts_tf.schedules.hts import HTS
from hts_tf.schedules.schedule import Schedule
from hts_tf.schedules.sync import Sync
from hts_tf.settings import Settings
from hts_tf.system.processors import usable_cores
from tests.guessing import Guessing


def make(**settings):
    return Settings(**{"environment": Synthetic(), "algorithm": A2C(), "schedule": HTS, **settings})


def test_what_follows_from_others_is_filled_in():
    assert make(num_envs=7).actor_batch_size == 7
    assert make(num_envs=1).num_executors == 1
    assert make(num_envs=500).num_executors == usable_cores()
    assert make(num_executors=2, actor_batch_size=3).num_executors == 2
    assert make(num_executors=2, actor_batch_size=3).actor_batch_size == 3


@pytest.mark.parametrize("value", [0, -1, 1.5, "four"])
@pytest.mark.parametrize(
    "name",
    [
        "num_envs",
        "num_executors",
        "num_actors",
        "actor_batch_size",
        "sync_interval",
        "total_env_steps",
        "keep_checkpoints",
        "crash_limit",
        "checkpoint_every_updates",
    ],
)
def test_counts(name, value):
    with pytest.raises(errors.ConfigError, match=f"{name} = .*: must"):
        make(**{name: value})


@pytest.mark.parametrize("name", ["checkpoint_every_sec", "step_timeout_sec"])
def test_seconds(name):
    assert getattr(make(**{name: None}), name) is None
    with pytest.raises(errors.ConfigError, match=f"{name} = .*: must"):
        make(**{name: 0})


def test_more_executors_than_environments():
    with pytest.raises(errors.ConfigError, match=r"num_executors = 3 must not exceed"):
        make(num_envs=2, num_executors=3)


class Turns(Schedule):
    policy_lag = 0
    num_storages = 1

    def run_round(self, j):
        raise NotImplementedError


def test_several_players_need_the_step_before():
    team = Guessing(own=2)
    make(environment=team, sync_interval=1)
    make(environment=team, sync_interval=2, schedule=Sync)
    make(environment=team, sync_interval=1, schedule=Asynchronous, algorithm=IMPALA())
    for schedule in (Sync, type("Lockstep", (Sync,), {}), Turns):
        name = schedule.__name__
        with pytest.raises(errors.ConfigError, match=f"sync_interval = 1: .*@{name} several"):
            make(environment=team, sync_interval=1, schedule=schedule)


def test_a_delayed_gradient_needs_a_lag_that_does_not_vary():
    with pytest.raises(errors.ConfigError, match=r"algorithm = @A2C\(\).*@Asynchronous"):
        make(schedule=Asynchronous)


class Undiscounted(algorithm.Algorithm):
    def make_optimizer(self):
        raise NotImplementedError

    def update(self, *args):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"schedule": Asynchronous, "algorithm": IMPALA()}, "under Trainer.schedule = @Asynchron"),
        ({"algorithm": Undiscounted()}, r"algorithm = @Undiscounted\(\) has no attribute of that"),
    ],
)
def test_where_rewards_cannot_be_scaled(others, message):
    make(**others)
    with pytest.raises(errors.ConfigError, match=rf"reward_scaling = @ReturnScaling .*{message}"):
        make(reward_scaling=ReturnScaling, **others)


def test_settings_stay_as_they_were_checked():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().num_envs = 3


@pytest.mark.usefixtures("clean_gin")
@pytest.mark.parametrize(
    ("binding", "wanted"),
    [
        ("Opponents.frozen = ('runs/a',)", "Trainer.opponents = @Opponents()"),
        ("Curriculum.window = 3", "Trainer.curriculum = @Curriculum()"),
    ],
)
def test_a_part_that_is_bound_and_not_there(binding, wanted):
    gin.parse_config(binding)
    with pytest.raises(errors.ConfigError) as raised:
        make()
    assert f"{binding.partition(' ')[0]} is bound, but" in str(raised.value)
    assert f"bind {wanted}, too" in str(raised.value)


@pytest.mark.usefixtures("clean_gin")
def test_a_part_that_is_not_there_on_purpose():
    gin.parse_config("Opponents.frozen = ('runs/a',)\nTrainer.opponents = None")
    assert make().opponents is None


def test_a_part_of_which_nothing_is_bound(namesake):
    """What stands for a default is written otherwise where another one has its name."""

    def uniform():
        pass

    namesake(uniform, "theirs")
    config.load("synthetic", "hts_ppo")
    assert gin.get_bindings("Opponents", resolve_references=False)
    assert Settings().opponents is None


def test_a_curriculum_that_never_moves():
    with pytest.raises(errors.ConfigError, match="never moves: the environment has one task"):
        make(curriculum=Curriculum())
    several = Tasks([Synthetic(), Synthetic()])
    with pytest.raises(errors.ConfigError, match=r"Curriculum\.window = 50 episodes are more than"):
        make(environment=several, curriculum=Curriculum(window=50), total_env_steps=49)
    assert make(environment=several, curriculum=Curriculum(window=50), total_env_steps=50)


def test_evaluations_are_of_all_tasks():
    tasks = Tasks((Synthetic(), Synthetic(step_time="exponential"), Synthetic(episode_steps=3)))
    make(environment=tasks, evaluate_every_updates=1, evaluate_episodes=3)
    make(environment=tasks, evaluate_episodes=2)
    with pytest.raises(errors.ConfigError, match="evaluate_episodes = 2 must be at least 3"):
        make(environment=tasks, evaluate_every_updates=1, evaluate_episodes=2)
