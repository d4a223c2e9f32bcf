"""Whether episodes are free of history: the same ones, played in several ways, to the bit.

An episode that is free of history depends on its seed and its actions alone (`environments.base`).
Only its absence can be shown: what no episode here has come across may still be there.
"""

import contextlib
import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hts_tf import errors, seeding, specs, trees
from hts_tf.environments import base, checked, random_actions
from hts_tf.environments.random_episodes import Moment, Played, first_difference, play
from hts_tf.system import child, command, processes, start

# The ways in which each episode is played again.
WAYS = (
    "in a used environment",
    "in a fresh one",
    "by a copy of its actions",
    "beside another one that plays",
    "in another process",
)


class Difference(NamedTuple):
    """Where an episode that was played again first differs.

    Attributes:
      way: of `WAYS`.
      episode: its number, from 0.
      step: env steps played before; None for the reset.
      array: which differs there.
    """

    way: str
    episode: int
    step: int | None
    array: str


class Findings(NamedTuple):
    """What was found out about an environment.

    Attributes:
      differences: the first of each way in which there is any.
      seeds_matter: whether another seed, with the same actions, makes for another episode.
      played: the episodes in the environment that played all of them, in that order; the first
        time each, one that was broken off, and once more.
    """

    differences: list[Difference]
    seeds_matter: bool
    played: list[Played]


def find_out(
    config: base.EnvironmentConfig, seeds: Sequence[int], max_steps: int | None = None
) -> Findings:
    """Plays an episode of each seed in all ways.

    Args:
      config: recipe of the environment.
      seeds: of the episodes, at least one.
      max_steps: episodes are broken off after so many env steps.

    Raises:
      ProtocolError: the environment broke a rule.
      RunError: it failed in another process.
      ConfigError: it is not known what its actions may be.
    """
    used = checked.make(config)
    try:
        first = [play(used, config.spec, seed, max_steps) for seed in seeds]
        half = max(1, len(first[0].actions) // 2)
        broken_off = play(used, config.spec, seeds[0], half)
        again = [play(used, config.spec, seed, max_steps) for seed in seeds]
        other_seed = play(used, config.spec, seeds[0] + 1, max_steps, draws=seeds[0])
    finally:
        used.close()
    fresh = _each_in_a_fresh_one(config, seeds, max_steps)
    copies = [[action.copy() for action in played.actions] for played in first]
    copied = _each_in_a_fresh_one(config, seeds, max_steps, copies)
    ways = [
        [played.moments for played in again],
        [played.moments for played in fresh],
        [played.moments for played in copied],
        [played.moments for played in _beside_another_one(config, seeds, max_steps)],
        _in_another_process(config, seeds, max_steps),
    ]
    differences = []
    for way, episodes in zip(WAYS, ways, strict=True):
        for episode, (played, moments) in enumerate(zip(first, episodes, strict=True)):
            place = first_difference(played.moments, moments)
            if place:
                differences.append(Difference(way, episode, *place))
                break
    return Findings(
        differences,
        first_difference(first[0].moments, other_seed.moments) is not None,
        [*first, broken_off, *again],
    )


def _each_in_a_fresh_one(
    config: base.EnvironmentConfig,
    seeds: Sequence[int],
    max_steps: int | None,
    actions: Sequence[Sequence[np.ndarray] | None] | None = None,
) -> list[Played]:
    played = []
    for seed, copy in zip(seeds, actions or [None] * len(seeds), strict=True):
        fresh = checked.make(config)
        try:
            played.append(play(fresh, config.spec, seed, max_steps, copy))
        finally:
            fresh.close()
    return played


class _Beside(base.Environment):
    """An environment, before each of whose calls another one is played on.

    So executors do it, who have several and step whichever has its turn.
    """

    def __init__(self, environment: base.Environment, other: Iterator[None]) -> None:
        self._environment = environment
        self._other = other

    def reset(self, seed: int, observation: trees.Tree) -> None:
        next(self._other)
        self._environment.reset(seed, observation)

    def step(self, action: Any, observation: trees.Tree) -> base.StepResult:
        next(self._other)
        return self._environment.step(action, observation)


def _plays_on(
    environment: base.Environment, spec: specs.EnvironmentSpec, seed: int
) -> Iterator[None]:
    """Plays episode after episode; yields after each call."""
    random = seeding.generator(seed, "random actions")
    observation = spec.new_observation()
    for number in itertools.count(seed):
        environment.reset(number, observation)
        is_over = False
        while not is_over:
            yield
            action = random_actions.draw_for_all(spec, observation, random)
            is_over = environment.step(specs.plain(action), observation).is_over
        yield


def _beside_another_one(
    config: base.EnvironmentConfig, seeds: Sequence[int], max_steps: int | None
) -> list[Played]:
    played = []
    for seed in seeds:
        with contextlib.ExitStack() as stack:
            environment = checked.make(config)
            stack.callback(environment.close)
            try:
                other = checked.make(config)
            except Exception as error:
                raise errors.RunError(
                    "a second one in the same process, as executors have them, cannot be built "
                    f"({type(error).__name__}: {errors.in_a_line(error)}): give each an executor "
                    "of its own, Trainer.num_executors = Trainer.num_envs"
                ) from error
            stack.callback(other.close)
            both = _Beside(environment, _plays_on(other, config.spec, seed + 1))
            played.append(play(both, config.spec, seed, max_steps))
    return played


def _in_another_process(
    config: base.EnvironmentConfig, seeds: Sequence[int], max_steps: int | None
) -> list[list[Moment]]:
    result = subprocess.run(
        [sys.executable, "-m", "hts_tf.environments.history"],
        input=pickle.dumps((config, seeds, max_steps)),
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, **start.tied()},
        start_new_session=True,
    )
    if result.returncode:
        raise errors.RunError(
            "in another process the environment failed: that "
            f"{processes.how_it_ended(result.returncode)}; its own message is above"
        )
    return pickle.loads(result.stdout)


def _play_for_another_process() -> None:
    """Answers `_in_another_process`."""
    child.end_session_with_this_process()  # what environments start is in there
    with child.answer_channel() as answers:
        played = _each_in_a_fresh_one(*pickle.load(sys.stdin.buffer))
        pickle.dump([episode.moments for episode in played], answers.buffer)


if __name__ == "__main__":
    command.end(_play_for_another_process)
