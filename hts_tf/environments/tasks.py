"""Tasks: several environments as one, each of whose episodes is of one of them.

An episode's seed says of which (`seeding.task_of`), so that all that plays an episode again has to
know the seed only. How often episodes are of each is for the trainer to say, see `curriculum`.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Len

from hts_tf import errors, seeding, specs, trees
from hts_tf.configurables import configurable
from hts_tf.environments import base, checked, step_results

if TYPE_CHECKING:
    from PIL import Image


@configurable
@dataclasses.dataclass(frozen=True)
class Tasks:
    """Environments that alike agents can play: scenarios, difficulties, weights of rewards.

    Attributes:
      environments: two or more, such as (@easy/Football(), @hard/Football()). Observations and
        actions must be the same, and the number of the learner's own players; of rivals, some may
        have fewer, or none.

    Raises:
      ConfigError: they differ in more than that.
    """

    environments: Annotated[Sequence[base.EnvironmentConfig], Len(2, 1000)]

    def __post_init__(self) -> None:
        """Raises: ConfigError: see above."""
        known = [environment.spec for environment in self.environments]
        for number, spec in enumerate(known):
            for what, found, first in [
                ("observation", spec.observation, known[0].observation),
                ("action", spec.action, known[0].action),
                ("names of figures", spec.figures, known[0].figures),
                ("number of own players", spec.num_own, known[0].num_own),
            ]:
                if found != first:
                    raise errors.ConfigError(
                        f"Tasks.environments: the {what} of number {number} is not that of number "
                        "0; all must be played by the same agent",
                        page="teams.md#curricula",
                    )
            if spec.num_tasks > 1:
                raise errors.ConfigError("Tasks.environments must not be Tasks themselves")

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """That of the one with the most rivals, and the longest episodes."""
        known = [environment.spec for environment in self.environments]
        num_rivals = max(spec.num_rivals for spec in known)
        return dataclasses.replace(
            known[0],
            max_episode_steps=max(spec.max_episode_steps for spec in known),
            history_free=all(spec.history_free for spec in known),
            in_threads=all(spec.in_threads for spec in known),
            num_players=known[0].num_own + num_rivals,
            num_rivals=num_rivals,
            rivals_of_tasks=tuple(spec.num_rivals for spec in known),
        )

    def make(self) -> "TasksEnvironment":
        """Builds it; each of the environments is built when its first episode begins."""
        return TasksEnvironment(self.spec, self.environments, lambda one: one.make())

    def watch(self, render: bool = False) -> "TasksEnvironment":
        """Builds one that shows itself; see `base.Watchable`."""
        for environment in self.environments:
            if not isinstance(environment, base.Watchable):
                raise errors.ConfigError(
                    f"{type(environment).__name__} of Tasks.environments has no pictures"
                )
        shown = TasksEnvironment(self.spec, self.environments, lambda one: one.watch(render))
        try:
            shown.build()  # not later: a renderer that is tried may close the window of a stage
        except BaseException:
            shown.close()
            raise
        return shown


class TasksEnvironment(base.Environment):
    """Plays each episode in the environment that its seed says.

    Rivals that it does not have are terminated from the first env step on, and see zeros.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        environments: Sequence[base.EnvironmentConfig],
        build: Callable[[base.EnvironmentConfig], base.Environment],
    ) -> None:
        """Builds nothing yet.

        Args:
          spec: of this one.
          environments: recipes of the tasks.
          build: makes an environment of a recipe.
        """
        self._spec = spec
        self._recipes = environments
        self._build = build
        self._built: dict[int, Any] = {}

    def reset(self, seed: int, observation: trees.Tree) -> None:
        """See base class."""
        self._enter(seeding.task_of(seed, self._spec.num_tasks))
        self._environment.reset(seed, self._part(observation))

    def build(self) -> None:
        """Builds the environments of all tasks, and is in the first one."""
        for task in reversed(range(len(self._recipes))):
            self._enter(task)

    def _enter(self, task: int) -> None:
        if task not in self._built:
            self._built[task] = self._build(self._recipes[task])
        self._environment = self._built[task]
        self._num_players = self._spec.num_own + self._spec.rivals_of_tasks[task]

    def step(self, action: Any, observation: trees.Tree) -> base.StepResult:
        """See base class."""
        num_players, played = self._spec.num_players, self._num_players
        if played == num_players:
            return self._environment.step(action, observation)
        result = self._environment.step(self._taken(action), self._part(observation))
        try:
            if played == 1:
                result = step_results.plain(result, len(self._spec.figures))
            else:
                result = step_results.plain_arrays(result, (played,))
        except ValueError as error:
            raise checked.ProtocolError(
                f"{type(self._environment).__name__} broke a rule: {error}",
                page="your_own_environment.md#what-it-may-not-do",
            ) from None
        filled = []
        for part, absent in zip(result[:4], (0.0, 0.0, True, False), strict=True):
            array = np.full(num_players, absent)
            array[:played] = part
            filled.append(array)
        return base.StepResult(*filled, result.figures)

    def close(self) -> None:
        """See base class."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._built.clear)
            for environment in self._built.values():
                stack.callback(environment.close)

    @property
    def title(self) -> str:
        """What is played; of those that show themselves, as all below."""
        return self._environment.title

    @property
    def fps(self) -> float | None:
        """See `base.Watched`."""
        return self._environment.fps

    def picture(self) -> "Image.Image":
        """See `base.Watched`."""
        return self._environment.picture()

    def action_name(self, action: Any) -> str:
        """See `base.Watched`; of one player's action, too."""
        is_of_all = np.ndim(action) > len(self._spec.action.shape)
        if is_of_all and self._num_players < self._spec.num_players:
            action = self._taken(action)
        return self._environment.action_name(action)

    def _taken(self, action: np.ndarray) -> Any:
        """Returns what the environment is given of all players' actions."""
        played = self._num_players
        return specs.plain(action[0]) if played == 1 else action[:played]

    def _part(self, observation: trees.Tree) -> trees.Tree:
        """Returns where the environment is to write what its own players observe."""
        played = self._num_players
        if played == self._spec.num_players:
            return observation
        trees.map(lambda array: array[played:].fill(0), observation)
        return trees.map(
            lambda array: array[0, ...] if played == 1 else array[:played], observation
        )
