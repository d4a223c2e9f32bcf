"""Agents that choose some actions more often than others."""

import numpy as np


def shake(variables, random, scale=0.3):
    """Moves an agent away from the nearly uniform policy of the start."""
    for variable in variables:
        variable.assign_add(random.normal(0.0, scale, variable.shape).astype(np.float32))
