"""Stable-Baselines3's PPO with its own hyperparameters on one of our scenarios of Gymnasium.

What `stable_baselines3_gymnasium.py` starts, in a virtual environment of its own; its argument is a
`Task` as JSON. Prints a line after each rollout (env steps, mean return of the last 100 episodes,
how many these are), and "end".

The numbers are those of RL Baselines3 Zoo, hyperparams/ppo.yml (commit 22e3ff2, version 2.9.0a2),
and where that says nothing, Stable-Baselines3's defaults. But there are 16 environments in a
`SubprocVecEnv`: `n_steps` is such that an update has as many env steps as in that file.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv, VecFrameStack, VecNormalize
from torch import nn

from hts_tf import config
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium

_NUM_ENVS = 16


class Task(NamedTuple):
    """What is to be done.

    Attributes:
      settings: of `_SETTINGS`.
      scenario: of ours.
      bindings: of gin, of the environment.
      seed: of the training.
    """

    settings: str
    scenario: str
    bindings: list[str]
    seed: int


class Settings(NamedTuple):
    """Hyperparameters.

    Attributes:
      env_steps: of the whole training, over which schedules go.
      ppo: keyword arguments of `PPO`.
      frame_stack: frames in an observation; None does without the axis.
      normalise: observations and rewards, by `VecNormalize`.
    """

    env_steps: int
    ppo: dict[str, Any]
    frame_stack: int | None = None
    normalise: bool = False


def _linear(initial: float) -> Callable[[float], float]:
    return lambda remaining: remaining * initial


_SETTINGS = {
    "atari": Settings(
        env_steps=10_000_000,
        frame_stack=4,
        ppo={
            "policy": "CnnPolicy",
            "n_steps": 64,  # 8 environments, 128
            "n_epochs": 4,
            "batch_size": 256,
            "learning_rate": _linear(2.5e-4),
            "clip_range": _linear(0.1),
            "vf_coef": 0.5,
            "ent_coef": 0.01,
        },
    ),
    "HalfCheetah-v4": Settings(
        env_steps=1_000_000,
        normalise=True,
        ppo={
            "policy": "MlpPolicy",
            "n_steps": 32,  # 1 environment, 512
            "batch_size": 64,
            "gamma": 0.98,
            "learning_rate": 2.0633e-05,
            "ent_coef": 0.000401762,
            "clip_range": 0.1,
            "n_epochs": 20,
            "gae_lambda": 0.92,
            "max_grad_norm": 0.8,
            "vf_coef": 0.58096,
            "policy_kwargs": {
                "log_std_init": -2,
                "ortho_init": False,
                "activation_fn": nn.ReLU,
                "net_arch": {"pi": [256, 256], "vf": [256, 256]},
            },
        },
    ),
    "mujoco-defaults": Settings(
        env_steps=1_000_000,
        normalise=True,
        ppo={"policy": "MlpPolicy", "n_steps": 128},  # 1 environment, 2048
    ),
    "CartPole-v1": Settings(
        env_steps=100_000,
        ppo={
            "policy": "MlpPolicy",
            "n_steps": 32,  # as it is there, for 8 environments, and as in our preset
            "batch_size": 256,
            "gae_lambda": 0.8,
            "gamma": 0.98,
            "n_epochs": 20,
            "ent_coef": 0.0,
            "learning_rate": _linear(0.001),
            "clip_range": _linear(0.2),
        },
    ),
}


def make(recipe: Gymnasium) -> gymnasium.Env:
    """Returns an environment as our preset sets it up, but for the stacking of frames."""
    env = recipe.make().env
    if isinstance(env, gymnasium.wrappers.FrameStackObservation):
        env = gymnasium.wrappers.ReshapeObservation(env.env, (*env.observation_space.shape[1:], 1))
    return Monitor(gymnasium.wrappers.TimeLimit(env, recipe.spec.max_episode_steps))


def vectorised(recipe: Gymnasium, settings: Settings) -> VecEnv:
    """Returns 16 environments."""
    envs = SubprocVecEnv([lambda: make(recipe) for _ in range(_NUM_ENVS)])
    if settings.frame_stack:  # here, so that a quarter goes through the pipes
        envs = VecFrameStack(envs, settings.frame_stack)
    if settings.normalise:
        envs = VecNormalize(envs, gamma=settings.ppo.get("gamma", 0.99))
    return envs


class Print(BaseCallback):
    """Prints how far the training is when a rollout is complete."""

    def _on_rollout_end(self) -> None:
        returns = [episode["r"] for episode in self.model.ep_info_buffer]
        mean = float(np.mean(returns)) if returns else None
        print(json.dumps([self.num_timesteps, mean, len(returns)]), flush=True)

    def _on_step(self) -> bool:
        return True


def main() -> None:
    """Trains."""
    task = Task(**json.loads(sys.argv[1]))
    settings = _SETTINGS[task.settings]
    recipe = config.environment_for(task.scenario, (), task.bindings)
    _ = recipe.spec  # what is found out here travels to the processes, which need not find it
    envs = vectorised(recipe, settings)
    model = PPO(env=envs, seed=task.seed, **settings.ppo)
    model.learn(settings.env_steps, callback=Print())
    envs.close()
    print("end", flush=True)


if __name__ == "__main__":
    main()
