"""Tiny environments of odd spaces, registered with Gymnasium when this is imported."""

import sys

import gymnasium
import numpy as np
from gymnasium import spaces

NAME = "tests.environments.gymnasiums.tiny"


class Sampled(gymnasium.Env):
    """Shows samples of its observation space, and remembers the actions of the episode.

    The reward of a step is its number, from 1.
    """

    def __init__(self, observation_space=None, action_space=None, info_mask=None, render_mode=None):
        self.observation_space = observation_space or spaces.Box(-1, 1, (2,), np.float32)
        self.action_space = action_space or spaces.Discrete(2)
        self.info_mask = info_mask
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.actions = []
        return self._show()

    def step(self, action):
        assert self.action_space.contains(action), action
        self.actions.append(action)
        shown, info = self._show()
        return shown, len(self.actions), False, False, info

    def _show(self):
        self.shown = self.observation_space.sample()
        return self.shown, {} if self.info_mask is None else {"action_mask": self.info_mask}


class Nested(Sampled):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012

    def __init__(self, render_mode=None):
        inner = spaces.Tuple((spaces.Discrete(3, start=-1), spaces.MultiBinary((2, 2))))
        space = {
            "a b/c": inner,
            "deep": spaces.Dict({"box": spaces.Box(-1, 1, (2,), np.float64)}),
            "several": spaces.MultiDiscrete([3, 5], start=[2, -7]),
        }
        action = spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[1, 0], [-3, 0]])
        super().__init__(spaces.Dict(space), action, render_mode=render_mode)

    def reset(self, *, seed=None, options=None):
        print(3)  # as some do; nobody is to take it for an answer
        return super().reset(seed=seed, options=options)

    def render(self):
        return np.full((40, 60, 3), 10 * len(self.actions), np.uint8)


class Masked(Sampled):
    """Permits in each step only what it has drawn."""

    def __init__(self, where="info", tuples=False, sizes=(3,), fault=None):
        shown = spaces.Box(-1, 1, (2,), np.float32)
        if where == "observation":
            mask = spaces.MultiBinary(sum(sizes))
            if tuples:
                mask = spaces.Tuple([spaces.MultiBinary(size) for size in sizes])
            shown = spaces.Dict({"shown": shown, "action_mask": mask})
        one = len(sizes) == 1
        super().__init__(shown, spaces.Discrete(sizes[0]) if one else spaces.MultiDiscrete(sizes))
        self.where, self.tuples, self.sizes, self.fault = where, tuples, sizes, fault

    def step(self, action):
        permitted = all(
            mask[number] for mask, number in zip(self.masks, np.ravel(action), strict=True)
        )
        shown, _, _, _, info = super().step(action)
        over = len(self.actions) == 5
        if over and self.fault == "none at the end":
            info = {}
        return shown, float(permitted), over, False, info

    def _show(self):
        shown, info = super()._show()
        self.masks = [self.np_random.integers(0, 2, size, np.int8) for size in self.sizes]
        for mask in self.masks:
            mask[self.np_random.integers(len(mask))] = 1
        given = tuple(self.masks) if self.tuples else np.concatenate(self.masks)
        if self.actions and self.fault == "missing":
            if self.where == "observation":
                del shown["action_mask"]
            return shown, {}
        if self.actions and self.fault == "empty":
            given = np.zeros_like(given)
        if self.actions and self.fault == "shape":
            given = given[1:]
        if self.where == "observation":
            shown["action_mask"] = given
        else:
            info = {"action_mask": given}
        return shown, info


class Faulty(Sampled):
    """Shows something else than its space says, from the first step on."""

    def __init__(self, shown):
        super().__init__(spaces.Box(0, 9, (2,), np.uint8))
        self.given = shown

    def _show(self):
        shown, info = super()._show()
        return (self.given if self.actions else shown), info


class TakesApart(Sampled):
    """As some do with what they are configured by."""

    def __init__(self, config):
        size = config.pop("size")
        super().__init__(spaces.Box(-1, 1, (size,), np.float32))


class Noted(gymnasium.Wrapper):
    """Takes apart what it is configured by, too."""

    def __init__(self, env, notes):
        super().__init__(env)
        self.note = notes.pop()


class Broken(gymnasium.Env):
    def __init__(self, when="made", **kwargs):
        if when == "made":
            raise RuntimeError("out of\norder")
        if when == "leaves":
            sys.exit(0)
        self._when = when
        self.action_space = spaces.Discrete(2)
        if when != "late":
            self.observation_space = spaces.Box(0, 1, (1,))

    def reset(self, *, seed=None, options=None):
        if self._when == "reset":
            raise RuntimeError("cannot begin")
        self.observation_space = spaces.Box(0, 2, (1,))
        return np.zeros(1, np.float32), {}

    def close(self):
        raise OSError("no such window")


class Odd(gymnasium.Env):
    """Has a space that is not served."""

    def __init__(self, observation=None, action=None):
        made = {
            "text": lambda: spaces.Text(3),
            "graph": lambda: spaces.Graph(spaces.Discrete(2), None),
            "sequence": lambda: spaces.Sequence(spaces.Discrete(2)),
            "oneof": lambda: spaces.OneOf([spaces.Discrete(2), spaces.Discrete(3)]),
            "mission": lambda: spaces.Dict({"mission": spaces.Text(3)}),
            "empty": lambda: spaces.Tuple(()),
            "integers": lambda: spaces.Box(0, 3, (2,), np.int32),
            "dict": lambda: spaces.Dict({"a": spaces.Discrete(2)}),
            "nothing": lambda: spaces.Box(0, 1, (0,)),
            "keys": lambda: spaces.Dict({"a b": spaces.Discrete(2), "a_b": spaces.Discrete(2)}),
            "critic": lambda: spaces.Dict(
                {"critic state": spaces.Discrete(2), "seen": spaces.Discrete(2)}
            ),
            "mask": lambda: spaces.Dict(
                {"action mask": spaces.Discrete(2), "b": spaces.Discrete(2)}
            ),
            None: lambda: spaces.Discrete(2),
        }
        self.observation_space, self.action_space = made[observation](), made[action]()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}


class TwoSteps(gymnasium.Wrapper):
    """Plays every action twice."""

    def step(self, action):
        first = self.env.step(action)
        second = self.env.step(action)
        return (*second[:1], first[1] + second[1], *second[2:])


class Halved(gymnasium.RewardWrapper):
    def reward(self, reward):
        return reward / 2


for kind in (Sampled, Nested, Masked, Faulty, TakesApart, Broken, Odd):
    gymnasium.register(f"{kind.__name__}-v0", f"{NAME}:{kind.__name__}", max_episode_steps=9)
gymnasium.register("Endless-v0", f"{NAME}:Sampled")
gymnasium.register("Local-v0", lambda **kwargs: Sampled(**kwargs), max_episode_steps=9)
