"""Stable-Baselines3's PPO on gfootball's own wrappers, with HTS-RL's hyperparameters: a peer.

Not part of hts_tf. In a virtual environment of its own:
  pip install torch==2.13.0 stable-baselines3 gymnasium gym==0.25.2, and the gfootball wheel;
  OPENBLAS_NUM_THREADS=1 python stable_baselines3_ppo.py academy_3_vs_1_with_keeper 40960
With `hts_tf` for a third argument it trains on our Gymnasium football instead, for which hts_tf
must be importable; `stable_baselines3_football.py` sees to all of that, and compares.
"""

import sys
import time

import gfootball.env
import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import SubprocVecEnv


class Football(gymnasium.Env):
    """gfootball's old gym interface behind Gymnasium's."""

    def __init__(self, scenario: str) -> None:
        self._env = gfootball.env.create_environment(
            scenario, representation="extracted", stacked=True, rewards="scoring,checkpoints"
        )
        shape = self._env.observation_space.shape
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(19)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:
        """See base class."""
        return self._env.reset(), {}

    def step(self, action: int) -> tuple:
        """See base class."""
        observation, reward, done, info = self._env.step(action)
        return observation, float(reward), done, False, info


def make(scenario: str, football: str) -> gymnasium.Env:
    """Returns stacked super mini maps with checkpoint rewards: stock ("gfootball") or "hts_tf"."""
    if football == "gfootball":
        return Football(scenario)
    return gymnasium.make(f"hts_tf.football:hts_tf/{scenario}-v0")


class PrintSps(BaseCallback):
    """Prints env steps per second of each iteration (rollout and update)."""

    def _on_training_start(self) -> None:
        self._last = (time.perf_counter(), 0)

    def _on_rollout_start(self) -> None:
        now = (time.perf_counter(), self.num_timesteps)
        if now[1]:
            sps = (now[1] - self._last[1]) / (now[0] - self._last[0])
            print(f"{now[1]:,} env steps  {sps:.0f} SPS", flush=True)
        self._last = now

    def _on_step(self) -> bool:
        return True


def main() -> None:
    """Trains with the settings of gin_configs/methods/hts_ppo.gin."""
    scenario, total = sys.argv[1], int(sys.argv[2])
    football = sys.argv[3] if len(sys.argv) > 3 else "gfootball"
    torch.set_num_threads(2)
    envs = SubprocVecEnv([lambda: make(scenario, football) for _ in range(16)])
    model = PPO(
        "CnnPolicy",
        envs,
        n_steps=128,
        batch_size=256,
        n_epochs=2,
        gamma=0.993,
        gae_lambda=0.95,
        clip_range=0.08,
        clip_range_vf=0.08,
        ent_coef=0.003,
        vf_coef=0.5,
        max_grad_norm=0.64,
        learning_rate=3.43e-4,
        seed=0,
    )
    model.learn(total, callback=PrintSps())
    envs.close()


if __name__ == "__main__":
    main()
