"""The evaluator: plays whole episodes with a fixed policy, on seeds that training never uses."""

import itertools
import os
from concurrent import futures

import numpy as np

from hts_tf import seeding
from hts_tf.environments import base
from hts_tf.metrics import Episode
from hts_tf.policy import Policy


class _Match:
    """One environment, playing one evaluation episode after another."""

    def __init__(self, environment: base.EnvironmentConfig, seed: int, sampled: bool) -> None:
        self._spec = environment.spec
        self._environment = environment.make()
        self._seed = seed
        self._sampled = sampled
        self.observation = np.zeros(self._spec.observation.shape, self._spec.observation.dtype)

    def begin(self, number: int) -> None:
        self.number = number
        self.length = 0
        self._score = 0.0
        self._return = 0.0
        self._random = seeding.generator(self._seed, "evaluation noise", number)
        seed = seeding.episode_seed(self._seed, 0, number, evaluation=True)
        self._environment.reset(seed, self.observation)

    def noise(self) -> np.ndarray:
        shape = self._spec.num_actions
        noise = self._random.gumbel(size=shape) if self._sampled else np.zeros(shape)
        return noise.astype(np.float32)

    def step(self, action: int) -> bool:
        """Returns whether the episode has ended."""
        result = self._environment.step(int(action), self.observation)
        self.length += 1
        self._score += result.score
        self._return += result.reward
        return result.terminated or result.truncated

    def episode(self) -> Episode:
        return Episode(self._score, self._return, self.length)

    def close(self) -> None:
        self._environment.close()


def evaluate(
    environment: base.EnvironmentConfig,
    policy: Policy,
    num_episodes: int,
    seed: int,
    max_parallel: int,
    deterministic_policy: bool = False,
) -> list[Episode]:
    """Plays episodes, several at once; which are played together does not influence them.

    Args:
      environment: recipe of the environment.
      policy: takes batches of at least `max_parallel`.
      num_episodes: how many.
      seed: selects the episodes' seeds and the policy's noise.
      max_parallel: environments at once.
      deterministic_policy: always take the most probable action.

    Returns:
      The episodes, in the order of their seeds.
    """
    parallel = min(max_parallel, num_episodes)
    matches = [_Match(environment, seed, not deterministic_policy) for _ in range(parallel)]
    numbers = itertools.count(parallel)
    finished: dict[int, Episode] = {}
    with futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            list(threads.map(_Match.begin, matches, range(parallel)))
            while matches:
                action, _, _ = policy.act(
                    np.stack([match.observation for match in matches]),
                    np.stack([match.noise() for match in matches]),
                )
                ended = list(threads.map(_Match.step, matches, action))
                for match in itertools.compress(matches.copy(), ended):
                    finished[match.number] = match.episode()
                    number = next(numbers)
                    if number < num_episodes:
                        match.begin(number)
                    else:
                        match.close()
                        matches.remove(match)
        finally:
            for match in matches:
                match.close()
    return [finished[number] for number in sorted(finished)]
