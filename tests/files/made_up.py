"""Made-up storages."""

import numpy as np

from hts_tf import rollouts, trees

STEPS, ENVS, ACTIONS = 6, 3, 5


def make(seed=0):
    """A storage [STEPS, ENVS, 1] of football's types.

    Where not truncated, truncation_value is NaN.
    """
    random = np.random.default_rng(seed)
    steps = STEPS, ENVS, 1
    truncated = random.random(steps) < 0.3
    value = random.standard_normal(steps).astype(np.float32)
    return rollouts.Rollout(
        observation=random.integers(2**16, size=(STEPS + 1, *steps[1:], 4, 24), dtype=np.uint16),
        action=random.integers(ACTIONS, size=steps, dtype=np.uint8),
        policy={"logits": random.standard_normal((*steps, ACTIONS)).astype(np.float32)},
        value=random.standard_normal((STEPS + 1, *steps[1:])).astype(np.float32),
        reward=random.choice(np.float32([0, 0.1, 1]), steps),
        score=random.choice(np.float32([0, 1]), steps),
        terminated=random.random(steps) < 0.3,
        truncated=truncated,
        truncation_value=np.where(truncated, value, np.float32(np.nan)),
    )


def make_structured(seed=0):
    """The same with observations that are a dict, and two parameters of the policy."""
    rollout = make(seed)
    random = np.random.default_rng(seed + 1000)
    steps = rollout.reward.shape
    facts = random.standard_normal((STEPS + 1, *steps[1:], 7)).astype(np.float32)
    return rollout._replace(
        observation={"map": rollout.observation, "facts": facts},
        action=random.standard_normal((*steps, 2)).astype(np.float32),
        policy={
            "mean": random.standard_normal((*steps, 2)).astype(np.float32),
            "deviation": random.random((*steps, 2)).astype(np.float32),
        },
    )


def flip(rollout, name, step, env, bit=0):
    """Returns a copy of which one bit of one cell of one array is another."""
    rollout = trees.map(np.copy, rollout)
    cell = rollouts.leaves(rollout)[name][step, env]
    cell.reshape(-1).view(np.uint8)[bit // 8] ^= 1 << bit % 8
    return rollout
