import numpy as np
import pytest

from hts_tf import specs
from hts_tf.collecting import data_storage, shared_memory

SPEC = specs.EnvironmentSpec(
    observation=specs.ArraySpec((4, 2), "uint16"), num_actions=5, max_episode_steps=7
)
SYNC_INTERVAL, NUM_ENVS = 3, 2


@pytest.fixture
def arrays():
    fields = data_storage.fields(SPEC, SYNC_INTERVAL, NUM_ENVS, num_storages=2)
    arrays = shared_memory.SharedArrays({f"storage/{name}": fields[name] for name in fields})
    yield arrays
    arrays.close()


def test_holds_what_a_rollout_documents(arrays):
    storage = data_storage.one(data_storage.read(arrays), 1)
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


def test_one_gives_views_of_its_own_storage_only(arrays):
    storages = data_storage.read(arrays)
    storage = data_storage.one(storages, 0)
    storage.reward[1, 1] = 2.5
    storage.action[...] = 3
    assert arrays["storage/reward"][0, 1, 1] == 2.5
    assert np.isnan(data_storage.one(storages, 1).reward).all()
    assert not data_storage.one(storages, 1).action.any()
