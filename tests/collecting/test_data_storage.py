import numpy as np
import pytest

from hts_tf import rollouts, specs, trees
from hts_tf.collecting import data_storage, shared_memory

STEP = rollouts.step_spec(
    specs.EnvironmentSpec(
        observation=specs.ArraySpec((4, 2), "uint16"),
        action=specs.DiscreteSpec(num_values=5),
        max_episode_steps=7,
    ),
    {"logits": specs.ArraySpec((5,), "float32")},
)
PAIR = specs.ArraySpec((2,), "float32")
TREE = rollouts.step_spec(
    specs.EnvironmentSpec({"map": specs.ArraySpec((4, 2), "uint16"), "a": PAIR}, PAIR, 7),
    {"mean": PAIR, "b": specs.ArraySpec((), "float32")},
)
SYNC_INTERVAL, NUM_ENVS = 3, 2


def allocate(step):
    fields = data_storage.fields(step, SYNC_INTERVAL, NUM_ENVS, num_storages=2)
    return shared_memory.SharedArrays({f"storage/{name}": fields[name] for name in fields})


@pytest.fixture
def arrays():
    arrays = allocate(STEP)
    yield arrays
    arrays.close()


@pytest.fixture
def tree_arrays():
    arrays = allocate(TREE)
    yield arrays
    arrays.close()


def test_holds_what_a_rollout_documents(arrays):
    storage = data_storage.each(data_storage.read(arrays, STEP))[1]
    assert storage.observation.shape == (4, 2, 1, 4, 2)
    assert storage.observation.dtype == np.uint16
    assert storage.policy["logits"].shape == (3, 2, 1, 5)
    assert storage.value.shape == (4, 2, 1)
    for name in ("action", "reward", "score", "terminated", "truncated", "truncation_value"):
        assert getattr(storage, name).shape == (3, 2, 1), name
    assert storage.action.dtype == np.uint8
    assert storage.terminated.dtype == storage.truncated.dtype == np.bool_
    for name in ("logits", "value", "reward", "score", "truncation_value"):
        assert rollouts.leaves(storage)[name].dtype == np.float32, name


def test_each_gives_views_of_its_own_storage_only(arrays):
    storage, other = data_storage.each(data_storage.read(arrays, STEP))
    storage.reward[1, 1] = 2.5
    storage.action[...] = 3
    assert arrays["storage/reward"][0, 1, 1] == [2.5]
    assert np.isnan(other.reward).all()
    assert not other.action.any()


def test_layout_of_a_tree(tree_arrays):
    storage = data_storage.each(data_storage.read(tree_arrays, TREE))[1]
    layout = {name: (leaf.shape, leaf.dtype) for name, leaf in rollouts.leaves(storage).items()}
    assert layout == {
        "observation/map": ((4, 2, 1, 4, 2), "uint16"),
        "observation/a": ((4, 2, 1, 2), "float32"),
        "action": ((3, 2, 1, 2), "float32"),
        "mean": ((3, 2, 1, 2), "float32"),
        "b": ((3, 2, 1), "float32"),
        "value": ((4, 2, 1), "float32"),
        "reward": ((3, 2, 1), "float32"),
        "score": ((3, 2, 1), "float32"),
        "terminated": ((3, 2, 1), "bool"),
        "truncated": ((3, 2, 1), "bool"),
        "truncation_value": ((3, 2, 1), "float32"),
    }


def test_every_leaf_of_a_tree_lies_under_its_own_name(tree_arrays):
    storages = data_storage.read(tree_arrays, TREE)
    for name, leaf in rollouts.leaves(storages).items():
        assert np.shares_memory(leaf, tree_arrays[f"storage/{name}"]), name


@pytest.mark.parametrize("step", [STEP, TREE])
def test_an_empty_rollout_is_laid_out_like_a_storage(step):
    arrays = allocate(step)
    storage = data_storage.each(data_storage.read(arrays, step))[0]
    empty = data_storage.empty(step, SYNC_INTERVAL, NUM_ENVS)
    alike = trees.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), empty, storage)
    assert all(rollouts.leaves(alike).values())
    assert rollouts.leaves(empty).keys() == rollouts.leaves(storage).keys()
    arrays.close()
