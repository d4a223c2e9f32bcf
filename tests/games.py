"""Small games of Gymnasium, registered when this is imported: one for each kind of space.

All are the same walk, whose place depends on every action of the episode so far.
"""

import time

import gymnasium
import numpy as np
from gymnasium import spaces


class Walk(gymnasium.Env):
    """Pushed by actions and by chance; ends by chance, or by a time limit."""

    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space: spaces.Space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-1, 1, 3)
        return self._show(), self._info()

    def step(self, action):
        assert self.action_space.contains(action), action
        time.sleep(0.002)  # so that there is time to kill who plays it
        push = np.resize(action, 3) + self.np_random.normal(0, 0.1, 3)
        self.place = np.sin(2 * self.place + push)
        over = bool(self.np_random.random() < 0.04)
        return self._show(), float(self.place.sum()), over, False, self._info()

    def _show(self):
        return self.place.astype(np.float32)

    def _info(self):
        return {}


class Nested(Walk):
    """A dict of a picture and of what else there is; any number of buttons at once."""

    observation_space = spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (9, 12, 3), np.uint8),
            "inner": spaces.Dict(
                {
                    "place": spaces.Box(-np.inf, np.inf, (3,), np.float64),
                    "signs": spaces.Tuple((spaces.MultiBinary(3), spaces.Discrete(5, start=-2))),
                }
            ),
        }
    )
    action_space = spaces.MultiBinary(3)

    def _show(self):
        camera = np.zeros((9, 12, 3), np.uint8)
        for channel, x in enumerate(self.place):
            camera[4 + round(4 * x), 6 + round(5 * x), channel] = 255
        signs = (self.place > 0).astype(np.int8), np.int64(round(2 * self.place[0]))
        return {"camera": camera, "inner": {"place": 100 + 10 * self.place, "signs": signs}}


class Levers(Walk):
    action_space = spaces.MultiDiscrete([3, 5, 2], start=[-1, 0, 7])


class Masked(Walk):
    """Another action is forbidden in each step, and never taken."""

    action_space = spaces.Discrete(4, start=2)

    def step(self, action):
        assert self.permitted[action - 2], f"{action} is forbidden"
        return super().step(action)

    def _info(self):
        self.permitted = np.ones(4, np.int8)
        self.permitted[self.np_random.integers(4)] = 0
        return {"action_mask": self.permitted}


for kind in (Nested, Levers, Masked):
    gymnasium.register(f"{kind.__name__}Walk-v0", f"{__name__}:{kind.__name__}", None)
