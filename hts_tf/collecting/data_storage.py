"""Data storages: the memory in which one interval of experience is written, then learnt from.

Each number is written once, where it is read: executors write observations, rewards and endings
at [t, slot], actors write actions, policies and values beside them, and after the swap
at the sync point the learner reads the same memory.
"""

import numpy as np

from hts_tf import rollouts, trees
from hts_tf.collecting import shared_memory


def fields(
    step: rollouts.StepSpec,
    sync_interval: int,
    num_envs: int,
    num_storages: int,
    num_players: int = 1,
) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the storages' arrays, [K, T or T + 1, N, P, ...].

    They are the leaves of a rollout, with the storage as a further, first axis.
    """
    shapes = {}
    for name, leaf in rollouts.leaves(step).items():
        rows = sync_interval + (rollouts.field_of(name) in rollouts.WITH_LAST_ROW)
        shape = (num_storages, rows, num_envs, num_players, *leaf.shape)
        shapes[name] = (shape, leaf.dtype)
    return shapes


def empty(
    step: rollouts.StepSpec, sync_interval: int, num_envs: int, num_players: int = 1
) -> rollouts.Rollout:
    """Returns a rollout of arrays to be filled, of this process alone."""
    layout = fields(step, sync_interval, num_envs, 1, num_players)
    arrays = (np.empty(shape[1:], dtype) for shape, dtype in layout.values())
    return trees.map(lambda _: next(arrays), step)


def read(arrays: shared_memory.SharedArrays, step: rollouts.StepSpec) -> rollouts.Rollout:
    """Returns the group `storage` of shared memory: all storages, [K, T, N, P, ...]."""
    found = iter(arrays.group("storage").values())  # in the order of `rollouts.leaves`
    return trees.map(lambda _: next(found), step)


def each(storages: rollouts.Rollout) -> list[rollouts.Rollout]:
    """Returns the storages [K, T, N, P, ...] one by one, as rollouts [T, N, P, ...] of views."""
    return [trees.map(lambda array, k=k: array[k], storages) for k in range(len(storages.action))]


def copy_slot(source: rollouts.Rollout, slot: int, target: rollouts.Rollout, column: int) -> None:
    """Copies what a rollout [T, N, P, ...] has of one slot to another rollout."""

    def copy(source: np.ndarray, target: np.ndarray) -> None:
        target[:, column] = source[:, slot]

    trees.map(copy, source, target)
