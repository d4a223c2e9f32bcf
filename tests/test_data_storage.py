import numpy as np
import pytest

from hts_tf import data_storage, shared_memory, specs

SPEC = specs.EnvironmentSpec(
    observation=specs.ArraySpec((4, 2), "uint16"), num_actions=5, max_episode_steps=7
)
SYNC_INTERVAL, NUM_ENVS = 3, 2


def fields(name):
    return {
        f"{name}/{field}": value
        for field, value in data_storage.fields(SPEC, SYNC_INTERVAL, NUM_ENVS).items()
    }


@pytest.fixture
def arrays():
    arrays = shared_memory.SharedArrays({**fields("first"), **fields("second")})
    yield arrays
    arrays.close()


def test_holds_what_a_rollout_documents(arrays):
    storage = data_storage.read(arrays, "first")
    assert storage.observation.shape == (4, 2, 4, 2)
    assert storage.observation.dtype == np.uint16
    assert storage.logits.shape == (3, 2, 5)
    assert storage.value.shape == (4, 2)
    for name in ("action", "reward", "score", "terminated", "truncated", "truncation_value"):
        assert getattr(storage, name).shape == (3, 2), name
    assert storage.action.dtype == np.uint8
    assert storage.terminated.dtype == storage.truncated.dtype == np.bool_
    for name in ("logits", "value", "reward", "score", "truncation_value"):
        assert getattr(storage, name).dtype == np.float32, name


def test_read_gives_views_of_its_own_storage_only(arrays):
    storage = data_storage.read(arrays, "first")
    storage.reward[1, 1] = 2.5
    storage.action[...] = 3
    assert arrays["first/reward"][1, 1] == 2.5
    assert np.isnan(data_storage.read(arrays, "second").reward).all()
    assert not data_storage.read(arrays, "second").action.any()
