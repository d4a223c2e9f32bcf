"""The boundary: what environments hand over is checked before anyone learns from it.

Always on: all of it costs about a microsecond for each env step. Imported by executor processes:
numpy only.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hts_tf import errors, seeding, specs, trees
from hts_tf.environments import base, step_results, written
from hts_tf.environments.step_results import LARGEST, NO_FIGURES
from hts_tf.system import terminal


class ProtocolError(errors.RunError):
    """An environment broke a rule of `base.Environment`; the message says which, and where."""


def make(config: base.EnvironmentConfig) -> "Checked":
    """Builds one environment, checked. Raises: ProtocolError: it would end the program."""
    try:
        return Checked(config.make(), config.spec)
    except SystemExit as exit_:
        raise ProtocolError(
            f"{type(config).__name__} cannot be built: {_ends(exit_)}",
            page="your_own_environment.md#what-it-may-not-do",
        ) from exit_


@contextlib.contextmanager
def closing(who: str) -> Iterator[None]:
    """Within its `with` block an environment is closed, which may fail: nothing depends on it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {errors.in_a_line(error)}"
        terminal.warn(f"{who} failed as it was closed, which changes nothing: {said}")


def _ends(exit_: SystemExit) -> str:
    return f"it calls sys.exit({exit_.code!r:.80}), which would end the program"


class Checked(base.Environment):
    """An environment, held to the protocol.

    What it is to play comes within its bounds, see `specs.BoxSpec`.
    What it hands over comes out in one form: reward and score as float, endings as bool, and an
    episode that is both terminated and truncated (as Gymnasium's TimeLimit makes them) as
    terminated. Of several players these are arrays, in which those who have left stay terminated
    and get no more reward; scores are as the environment says.
    """

    def __init__(self, environment: base.Environment, spec: specs.EnvironmentSpec) -> None:
        """Does nothing with them yet.

        Args:
          environment: to be checked; closed with this.
          spec: of the environment.
        """
        self._environment = environment
        self._max_episode_steps = spec.max_episode_steps
        self._bounded = spec.action.bounded if isinstance(spec.action, specs.BoxSpec) else None
        self._choices = _choices(spec)
        self._players = spec.players
        self._num_figures = len(spec.figures)
        self._spec = spec
        self._there = np.ones(spec.players, bool)  # players who have not left
        self._steps = 0
        self._leaves = [
            (name, written.watch(leaf, spec.players))
            for name, leaf in trees.named(spec.observation, "observation")
        ]
        is_array = isinstance(spec.observation, specs.ArraySpec)
        self._only_leaf = self._leaves[0][1] if is_array else None

    def reset(self, seed: int, observation: trees.Tree) -> None:
        """See base class.

        Raises:
          ProtocolError: the observation is not written or not finite, or permits no action.
        """
        self._steps = 0
        if self._players:
            self._there[...] = self._spec.takes_part(seeding.task_of(seed, self._spec.num_tasks))
        self._write(observation, self._environment.reset, seed)
        if self._choices is not None:
            self._check_mask(observation)

    def step(self, action: Any, observation: trees.Tree) -> base.StepResult:
        """See base class.

        Raises:
          ProtocolError: the observation is not written or not finite, or permits no action where
            one follows; reward or score are not finite numbers, endings are not yes or no, or the
            episode is longer than the spec says.
        """
        self._steps += 1
        if self._steps > self._max_episode_steps:
            raise self._error(
                f"the episode goes on after {self._max_episode_steps:,} env steps, the spec's "
                "max_episode_steps"
            )
        if self._bounded:
            action = self._bounded(action)
        elif isinstance(action, np.ndarray):  # a storage's, perhaps, which will hold another one
            action = action.copy()
        result = self._write(observation, self._environment.step, action)
        if self._players:
            return self._of_all_players(result, observation)
        if type(result) is base.StepResult:
            reward, score, terminated, truncated, figures = result
            # The usual case, without a call: this is done in every env step.
            if (
                type(reward) is type(score) is float
                and -LARGEST <= reward <= LARGEST
                and -LARGEST <= score <= LARGEST
                and type(terminated) is type(truncated) is bool
                and not (terminated and truncated)
                and figures is NO_FIGURES
                and not (self._num_figures and (terminated or truncated))
            ):
                if self._choices is not None and not (terminated or truncated):
                    self._check_mask(observation)
                return result
        try:
            result = step_results.plain(result, self._num_figures)
        except ValueError as error:
            raise self._error(str(error)) from None
        if self._choices is not None and not (result.terminated or result.truncated):
            self._check_mask(observation)
        return result

    def _of_all_players(self, result: Any, observation: trees.Tree) -> base.StepResult:
        try:
            result = step_results.plain_arrays(result, self._players)
            there = self._there
            terminated = result.terminated | ~there
            truncated = result.truncated & ~terminated
            self._there = ~(terminated | truncated)
            figures = step_results.figures(result.figures, self._num_figures, not self._there.any())
        except ValueError as error:
            raise self._error(str(error)) from None
        if self._choices is not None and self._there.any():
            self._check_mask(observation)
        reward = np.where(there, result.reward, np.float32(0))
        # The game goes on for the side of who has left, so scores are as the environment says.
        return base.StepResult(reward, result.score, terminated, truncated, figures)

    def close(self) -> None:
        """See base class."""
        with closing(type(self._environment).__name__):
            self._environment.close()

    def _check_mask(self, observation: trees.Tree) -> None:
        mask = observation[specs.ACTION_MASK]
        is_one = len(self._choices) == 1
        if is_one and not self._players and b"\1" in mask.tobytes():  # the usual case, quickly
            return
        if is_one:
            permitted = mask.any(axis=-1)
        else:
            permitted = np.logical_or.reduceat(mask, self._choices, axis=-1).all(axis=-1)
        if not (permitted.all() or (permitted | ~self._there).all()):
            raise self._error(f"the observation/{specs.ACTION_MASK} permits nothing")

    def _error(self, fault: str) -> ProtocolError:
        return broken(type(self._environment).__name__, self._steps, fault)

    def _write(
        self, observation: trees.Tree, method: Callable[[Any, trees.Tree], Any], argument: Any
    ) -> Any:
        """Calls a method that is to write an observation, and returns what it returns."""
        try:  # around all of it: a call more would be one in every env step
            if self._only_leaf:  # without the walk: this, too, is done in every env step
                self._only_leaf.mark(observation, self._steps & 1)
                result = method(argument, observation)
                fault = self._only_leaf.fault(observation)
                if fault:
                    raise self._error(f"the observation {fault}")
                return result
            leaves = [*zip(self._leaves, trees.leaves(observation), strict=True)]
            for (_, leaf), array in leaves:
                leaf.mark(array, self._steps & 1)
            result = method(argument, observation)
            for (name, leaf), array in leaves:
                fault = leaf.fault(array)
                if fault:
                    raise self._error(f"the {name} {fault}")
            return result
        except SystemExit as exit_:
            raise self._error(_ends(exit_)) from exit_


def broken(who: str, calls: int, fault: str) -> ProtocolError:
    """Returns what to raise of an environment, after so many calls: a reset, then env steps."""
    where = f"env step {calls - 1} of its episode" if calls else "reset"
    return ProtocolError(
        f"{who} broke a rule in {where}: {fault}",
        page="your_own_environment.md#what-it-may-not-do",
    )


def _choices(spec: specs.EnvironmentSpec) -> np.ndarray | None:
    """Returns where each choice begins in an observation's mask of actions; None without one."""
    if specs.action_mask_of(spec.observation) is None:
        return None
    if isinstance(spec.action, specs.MultiDiscreteSpec):
        return np.cumsum([0, *spec.action.num_values[:-1]])
    return np.zeros(1, int) if isinstance(spec.action, specs.DiscreteSpec) else None
