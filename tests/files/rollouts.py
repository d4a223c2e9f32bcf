"""Made-up storages."""

import numpy as np

from hts_tf import specs

STEPS, ENVS, ACTIONS = 6, 3, 5


def make(seed=0):
    """A storage [STEPS, ENVS] of football's types; where not truncated, truncation_value is NaN."""
    random = np.random.default_rng(seed)
    steps = STEPS, ENVS
    truncated = random.random(steps) < 0.3
    value = random.standard_normal(steps).astype(np.float32)
    return specs.Rollout(
        observation=random.integers(2**16, size=(STEPS + 1, ENVS, 4, 24), dtype=np.uint16),
        action=random.integers(ACTIONS, size=steps, dtype=np.uint8),
        logits=random.standard_normal((*steps, ACTIONS)).astype(np.float32),
        value=random.standard_normal((STEPS + 1, ENVS)).astype(np.float32),
        reward=random.choice(np.float32([0, 0.1, 1]), steps),
        score=random.choice(np.float32([0, 1]), steps),
        terminated=random.random(steps) < 0.3,
        truncated=truncated,
        truncation_value=np.where(truncated, value, np.float32(np.nan)),
    )


def flip(rollout, name, step, env, bit=0):
    """Returns a copy of which one bit of one cell of one array is another."""
    array = getattr(rollout, name).copy()
    cell = np.atleast_1d(array[step, env]).copy()
    cell.reshape(-1).view(np.uint8)[bit // 8] ^= 1 << bit % 8
    array[step, env] = cell.reshape(array[step, env].shape)
    return rollout._replace(**{name: array})
