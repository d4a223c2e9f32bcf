"""Policies of runs in Python: what they choose, step by step, in whatever plays their game."""

import gc
import os
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import bindings, errors, evaluator, rollouts, seeding, specs, trees
from hts_tf.collecting.policy import Policy, ask
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium
from hts_tf.evaluator import PARALLEL
from hts_tf.files import archive, participants
from hts_tf.system import compute


class State(NamedTuple):
    """What a policy has at hand during an episode, or several.

    Attributes:
      memory: [B, P, ...], what it remembers.
      random: of each episode, where its chances come from; moves on with every action.
      is_batch: whether observations and actions have an axis of episodes.
    """

    memory: trees.Tree
    random: tuple[np.random.Generator, ...]
    is_batch: bool


class LoadedPolicy:
    """A trained policy.

    Attributes:
      name: WORKDIR@UPDATES.
      environment: recipe of the environment that it was trained on: `make()` builds one, see
        `environments.base`, and `spec` says what it observes and does.
    """

    def __init__(self, participant: participants.Participant) -> None:
        """Compiles it, which takes a second or two."""
        self.name = participant.name
        self.environment = participant.environment
        self._spec = participant.environment.spec
        self._bindings = bindings.dump()
        # As in evaluations: how batches are padded may depend on it, and so may bits.
        self._policy = Policy(participant.agent, PARALLEL * self._spec.num_players)
        self._gymnasium = None
        if isinstance(self.environment, Gymnasium):
            self._gymnasium = self.environment.make()
            self._gymnasium.close()  # it is only asked what things mean

    def initial_state(self, episodes: int | Sequence[int] = 0, seed: int = 0) -> State:
        """Returns what the policy begins an episode with.

        Args:
          episodes: a number, or several for a batch of B episodes. The chances are those of the
            evaluation's episode of this number.
          seed: of the evaluation, as `hts_tf.evaluate --seed`.
        """
        is_batch = not isinstance(episodes, int | np.integer)
        numbers = list(episodes) if is_batch else [episodes]
        shape = (len(numbers), self._spec.num_players)
        return State(
            self._policy.initial_state(shape),
            tuple(seeding.evaluation_noise(seed, number) for number in numbers),
            is_batch,
        )

    def episode_seed(self, episode: int, seed: int = 0) -> int:
        """Returns what the evaluation gives its environment for the episode of this number."""
        return seeding.evaluation_seed(seed, episode, self._spec.num_tasks)

    def act(
        self, observation: Any, state: State, deterministic: bool = False, info: Any = None
    ) -> tuple[Any, State]:
        """Chooses actions: those of the evaluation, to the bit, for what it observed.

        Args:
          observation: as the environment writes it, of P > 1 players [P, ...]; or of a batch, B of
            them. Of Gymnasium: as the environment with the run's wrappers returns it. Maps of
            football may be gfootball's images instead of positions.
          state: of the episode so far.
          deterministic: take the most probable actions.
          info: of Gymnasium, where masks of actions come with it; of a batch, B of them.

        Returns:
          The actions, as the environment takes them, in a batch a list, and the state after them.

        Raises:
          ConfigError: the observation is not of the environment.
          ProtocolError: the same, of Gymnasium.
        """
        count = len(state.random)
        players = self._spec.num_players
        shown = observation if state.is_batch else [observation]
        infos = (info if state.is_batch else [info]) or [None] * count
        if not len(shown) == len(infos) == count:
            raise errors.ConfigError(
                f"a batch of {count} episodes takes as many observations",
                page="python.md#a-policy-in-use",
            )
        seen = [
            self._seen(one, about, state.is_batch) for one, about in zip(shown, infos, strict=True)
        ]
        noise = np.stack([self._policy.draw_noise(random, (players,)) for random in state.random])
        if deterministic:
            noise = np.zeros_like(noise)
        seen = trees.stacked(seen)
        answer = self._answer((seen, noise, state.memory))
        actions = [self._spec.played(of_all) for of_all in answer.action]
        if isinstance(self._spec.action, specs.BoxSpec):  # of a number, in Python's precision
            actions = [self._spec.action.bounded(action) for action in actions]
        if self._gymnasium is not None:
            actions = [self._gymnasium.played.action(action) for action in actions]
        return actions if state.is_batch else actions[0], state._replace(memory=answer.state)

    def evaluate(
        self, episodes: int = 100, seed: int = 0, deterministic: bool = False
    ) -> list[archive.Record]:
        """Plays as `hts_tf.evaluate` does where no --opponent is named, to the bit.

        Args:
          episodes: how many, of those that training never sees.
          seed: selects them, and the policy's chances.
          deterministic: take the most probable actions.

        Returns:
          What each came to: `score`, `episode_return`, `length`, `actions` and more.

        Raises:
          ConfigError: there is no such number of episodes.
          ProtocolError: the environment broke a rule.
        """
        if episodes < 1:
            raise errors.ConfigError(f"episodes = {episodes}: must be at least 1")
        bindings.restore(self._bindings)  # others may have been loaded since
        played = evaluator.play(
            self.environment, self._policy, episodes, seed, PARALLEL, deterministic
        )
        return [record for record, *_ in played]

    def _answer(self, questions: tuple[trees.Tree, np.ndarray, trees.Tree]) -> rollouts.Answer:
        """Answers of any number of episodes observation, noise and memory; see `ask`."""
        answers = [
            ask(self._policy, *trees.map(lambda a, b=begin: a[b : b + PARALLEL], questions))
            for begin in range(0, len(questions[1]), PARALLEL)
        ]
        return trees.joined(answers)

    def _seen(self, shown: Any, info: Any, may_be_over: bool) -> trees.Tree:
        """Returns an observation as arrays [P, ...]. Raises: ConfigError: it cannot be one."""
        if self._gymnasium is not None:
            one = self._gymnasium.observed(shown, info, may_be_over)  # as others of its batch
            return trees.map(lambda array: array[np.newaxis], one)
        try:
            return trees.map(
                lambda spec, array: _rows(spec, np.asarray(array), self._spec.num_players),
                self._spec.observation,
                shown,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise errors.ConfigError(
                f"an observation must be of {self._spec.observation}: {error}",
                page="python.md#a-policy-in-use",
            ) from error


def load(name: str, modules: str | Sequence[str] = ()) -> LoadedPolicy:
    """Loads a policy. What gin had bound in this process is forgotten.

    Args:
      name: WORKDIR for the newest checkpoint of a run, WORKDIR@UPDATES for a snapshot,
        WORKDIR@best for the best of those that were evaluated while it trained, or the name of a
        model, see `files.models`.
      modules: of your own, or one, that the run's configuration may import.

    Raises:
      ConfigError: there is no such run, checkpoint or snapshot, or it cannot be used.
      ProtocolError: its environment has other spaces each time that it is built.
    """
    gc.unfreeze()  # what was the caller's own when TensorFlow was imported is among it
    with compute.as_a_guest():  # the caller may build and train models, too
        name = os.path.expanduser(name)  # noqa: PTH111  of "", pathlib makes a directory
        trusted = [modules] if isinstance(modules, str) else modules
        return LoadedPolicy(participants.load(name, trusted, _configure))


def _configure() -> None:
    """Sets TensorFlow up as commands do; one that is in use already keeps its threads."""
    try:
        compute.configure()
    except compute.InUseError:
        warnings.warn(
            "TensorFlow was in use before hts_tf.load: last bits may differ from those of the "
            "commands",
            stacklevel=4,  # where `load` was called
        )


def _rows(spec: specs.ArraySpec, array: np.ndarray, players: int) -> np.ndarray:
    """Returns an array [P, ...] of a spec. Raises: ValueError: it cannot be made of this one."""
    alone = (1,) if players == 1 else ()
    if isinstance(spec, specs.PixelMapSpec) and array.shape[-3:] == spec.dense_shape:
        images = array.reshape(-1, *spec.dense_shape)
        array = np.stack([spec.from_image(image) for image in images])
    array = array.reshape(*alone, *array.shape) if array.ndim == len(spec.shape) else array
    if array.shape != (players, *spec.shape):
        raise ValueError(f"its shape is {array.shape}, of {players} players")
    return array.astype(spec.dtype, casting="same_kind")
