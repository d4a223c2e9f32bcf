"""Episodes of random actions, and where two of them differ."""

import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hts_tf import seeding, specs, trees
from hts_tf.environments import base, random_actions

Moment = dict[str, bytes]  # array -> hash, after a reset or an env step


class Played(NamedTuple):
    """An episode that was played.

    Attributes:
      seed: that the environment was reset with.
      actions: [n], one for each env step.
      moments: [n + 1], what the reset and each env step have brought.
      seconds: [n + 1], how long they took.
      has_ended: whether the episode has; else it was broken off.
    """

    seed: int
    actions: list[np.ndarray]
    moments: list[Moment]
    seconds: list[float]
    has_ended: bool


def play(
    environment: base.Environment,
    spec: specs.EnvironmentSpec,
    seed: int,
    max_steps: int | None = None,
    actions: Sequence[np.ndarray] | None = None,
    draws: int | None = None,
) -> Played:
    """Plays an episode.

    Args:
      environment: that plays, a `Checked` one.
      spec: of the environment.
      seed: to reset it with.
      max_steps: it is broken off after so many env steps.
      actions: to play; None draws them at random.
      draws: seed of what is drawn; None takes the episode's.

    Raises:
      ProtocolError: the environment broke a rule.
      ConfigError: it is not known what its actions may be.
    """
    # A stream of its own: by that of the environment's seed, what it hides would be guessed.
    random = seeding.generator(seed if draws is None else draws, "random actions")
    observation = spec.new_observation()
    played = Played(seed, [], [], [], has_ended=False)

    def look(start: float, **numbers: np.generic) -> None:
        played.seconds.append(time.perf_counter() - start)
        found = [*trees.named(observation, "observation"), *numbers.items()]
        played.moments.append({name: _hash(array) for name, array in found})

    start = time.perf_counter()
    environment.reset(seed, observation)
    look(start)
    longest = spec.max_episode_steps + 1  # which is one too long, as `Checked` will say
    most = longest if max_steps is None else min(max_steps, longest)
    for step in range(most if actions is None else len(actions)):
        if actions is None:
            action = random_actions.draw_for_all(spec, observation, random)
        else:
            action = actions[step]
        played.actions.append(action.copy())
        start = time.perf_counter()
        result = environment.step(specs.plain(action), observation)
        look(
            start,
            reward=np.asarray(result.reward, np.float32),
            score=np.asarray(result.score, np.float32),
            terminated=np.asarray(result.terminated),
            truncated=np.asarray(result.truncated),
            figures=np.asarray(result.figures, np.float32),
        )
        if result.is_over:
            return played._replace(has_ended=True)
    return played


def first_difference(one: list[Moment], other: list[Moment]) -> tuple[int | None, str] | None:
    """Returns the first env step (None for the reset) and array in which episodes differ, if any.

    Of several arrays in a step it is the first one: observations come before rewards and endings.
    """
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        for name in a:
            if a[name] != b[name]:
                return number - 1 if number else None, name
    return None


def _hash(array: np.ndarray | np.generic) -> bytes:
    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()
