"""Data storages: the memory in which one interval of experience is written, then learnt from.

Each number is written once, where it is read: executors write observations, rewards and endings
at [t, slot], actors write actions, logits and values beside them, and after the swap
at the sync point the learner reads the same memory.
"""

import numpy as np

from hts_tf import specs
from hts_tf.collecting import shared_memory


def fields(
    spec: specs.EnvironmentSpec, sync_interval: int, num_envs: int, num_storages: int
) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the storages' arrays.

    They are those of `specs.Rollout`, with the storage as a further, first axis.
    """
    steps = (num_storages, sync_interval, num_envs)
    with_last = (num_storages, sync_interval + 1, num_envs)
    return {
        "observation": (with_last + spec.observation.shape, spec.observation.dtype),
        "action": (steps, "uint8"),
        "logits": ((*steps, spec.num_actions), "float32"),
        "value": (with_last, "float32"),
        "reward": (steps, "float32"),
        "score": (steps, "float32"),
        "terminated": (steps, "bool"),
        "truncated": (steps, "bool"),
        "truncation_value": (steps, "float32"),
    }


def empty(spec: specs.EnvironmentSpec, sync_interval: int, num_envs: int) -> specs.Rollout:
    """Returns a rollout of arrays to be filled, of this process alone."""
    arrays = fields(spec, sync_interval, num_envs, num_storages=1)
    return specs.Rollout(**{name: np.empty(s[1:], dtype) for name, (s, dtype) in arrays.items()})


def read(arrays: shared_memory.SharedArrays) -> specs.Rollout:
    """Returns the group `storage` of shared memory: all storages, [K, T, B, ...]."""
    return specs.Rollout(**arrays.group("storage"))


def one(storages: specs.Rollout, k: int) -> specs.Rollout:
    """Returns storage `k` as a rollout [T, B, ...] of views."""
    return specs.Rollout(*(array[k] for array in storages))
