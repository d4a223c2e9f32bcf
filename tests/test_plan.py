import dataclasses
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from hts_tf import errors, plan
from hts_tf.algorithms.a2c import A2C
from hts_tf.environments.synthetic import Synthetic
from hts_tf.networks import sketch
from hts_tf.schedules.hts import HTS
from hts_tf.settings import Settings
from hts_tf.system import memory
from hts_tf.team import Alone

pytestmark = pytest.mark.usefixtures("clean_gin")


def test_the_memory_of_a_checkpoint_is_counted_where_it_is_written(monkeypatch):
    asked = []
    monkeypatch.setattr(memory, "require", lambda nbytes, advice: asked.append(nbytes))
    settings = Settings(environment=Synthetic(), algorithm=A2C(), schedule=HTS, num_shards=2)
    for number in (0, 1):
        plan.check(plan.of(settings, SimpleNamespace(number=number, size=2)))
    # The agent, two means of the optimizer, and where the gradient is taken: as arrays and a file.
    assert asked[0] - asked[1] == 2 * 4 * sketch.nbytes(sketch.sketch(settings.environment.spec))


def test_the_last_update_may_be_more_than_was_asked_for():
    settings = Settings(
        environment=Synthetic(),
        algorithm=A2C(),
        schedule=HTS,
        num_envs=3,
        sync_interval=5,
        total_env_steps=31,
    )
    planned = plan.of(settings, Alone())
    assert (planned.env_steps_per_update, planned.num_updates) == (15, 3)


@dataclasses.dataclass(frozen=True)
class Rewarding(Synthetic):
    reward: Callable = float


def test_a_recipe_that_cannot_be_handed_over():
    parts = {"algorithm": A2C(), "schedule": HTS}
    plan.check_agent(Settings(environment=Rewarding(), **parts))
    settings = Settings(environment=Rewarding(reward=lambda x: x), **parts)
    for check in (plan.check_agent, lambda s: plan.check(plan.of(s, Alone()))):
        with pytest.raises(errors.ConfigError, match=r"@Rewarding\(\) cannot be handed over"):
            check(settings)
