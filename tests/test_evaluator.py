import functools

import pytest

from hts_tf import evaluator, seeding
from hts_tf.collecting.policy import Policy
from hts_tf.environments.tasks import Tasks
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.guessing import Guessing

pytestmark = pytest.mark.usefixtures("op_determinism")

TASKS = Tasks([Guessing(rivals=1, length=3), Guessing(rivals=0, length=5)])


@functools.cache
def played(max_parallel):
    torso = functools.partial(torsos.mlp, units=(8,))
    policy = Policy(ActorCritic(TASKS.spec, 0, torso), max_parallel * TASKS.spec.num_players)
    return evaluator.evaluate(TASKS, policy, 7, seed=3, max_parallel=max_parallel)


def test_tasks_take_turns():
    records = played(3)
    assert [record.task for record in records] == [0, 1, 0, 1, 0, 1, 0]
    for number, record in enumerate(records):
        assert record.episode == number
        assert seeding.is_evaluation(record.seed)
        assert seeding.task_of(record.seed, 2) == record.task
        assert record.length == (3, 5)[record.task]


@pytest.mark.parametrize("max_parallel", [1, 7])
def test_who_is_played_together_does_not_matter(max_parallel):
    assert played(max_parallel) == played(3)
