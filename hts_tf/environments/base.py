"""The protocol between an executor and an environment.

Observations are written where the caller says (straight into shared memory), never returned; all
of it, in every call: what is there before means nothing.
An episode is history-free: (episode seed, actions so far) determine every observation, reward
and ending to the bit, whatever the environment played before and in whichever process; unless its
`EnvironmentSpec.history_free` says otherwise. What of all this can be seen from outside is checked,
always (`checked`); `hts_tf.check_environment` tries the rest.
"""

import pickle
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from hts_tf import errors, specs, trees

if TYPE_CHECKING:
    from PIL import Image


class StepResult(NamedTuple):
    """What one env step brought, besides the observation.

    Of several players, each is an array [P]. Who has terminated or was truncated does not come
    back, and the episode is over when that is true of all of them.

    Attributes:
      reward: what the agent learns from; a finite number.
      score: what is reported as success (football: goals only); of several players, who has left
        still has one, and rewards no more.
      terminated: the episode ended by the game's rules; the observation after it has no value.
      truncated: a time limit cut the episode; the observation just written is its last one,
        and its value is worth bootstrapping from. Together with `terminated` it counts for nothing.
      figures: of the episode that is over with this step, a number for each of the spec's
        `figures`, whatever the number of players; before that nothing is needed.
    """

    reward: Any
    score: Any
    terminated: Any
    truncated: Any
    figures: Any = ()

    @property
    def is_over(self) -> bool:
        """Whether the episode is."""
        if type(self.terminated) is bool:
            return self.terminated or self.truncated
        return bool((self.terminated | self.truncated).all())

    @property
    def is_valued(self) -> bool:
        """Whether the episode is over, and the value of its last observation is needed."""
        if type(self.terminated) is bool:
            return self.truncated
        return self.is_over and bool(self.truncated.any())


class Environment(Protocol):
    """One running environment, owned by one executor; used by one thread."""

    def reset(self, seed: int, observation: trees.Tree) -> None:
        """Starts the episode with this seed.

        Args:
          seed: 0 to 2**31 - 1; the only source of randomness of the episode.
          observation: written; contiguous array of the spec's shape and dtype, or a dict of them.
            Of several players: [P, ...].
        """

    def step(self, action: Any, observation: trees.Tree) -> StepResult:
        """Plays one env step and writes the observation after it, also at an episode's end.

        Args:
          action: a number where the spec's shape is (), else an array of it, to keep. Of several
            players: an array [P, ...]; it means nothing of those who have left.
          observation: as in `reset`.
        """

    def close(self) -> None:
        """Releases what the environment holds; may be called twice."""


class EnvironmentConfig(Protocol):
    """A validated, picklable recipe: travels to the executors, which call `make`."""

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Known without starting an engine."""

    def make(self) -> Environment:
        """Builds one environment, in the process that will step it."""


def why_it_stays(recipe: Any) -> str | None:
    """Returns why a recipe cannot travel to the executors; None if it can."""
    try:
        pickle.dumps(recipe)
    except Exception as error:
        return errors.in_a_line(error)
    return None


@runtime_checkable
class Checkable(Protocol):
    """What an `EnvironmentConfig` may be, too: `hts_tf.check_environment` then asks it."""

    def check(self) -> list[str]:
        """Returns what a checker of its own kind has to say against it, a line each."""


class Watched(Environment, Protocol):
    """An environment that shows itself, with the same episodes to the bit.

    Attributes:
      title: what is played.
      fps: how many env steps a second look natural; None if nothing says so.
    """

    title: str
    fps: float | None

    def picture(self) -> "Image.Image":
        """Returns a picture of how the last env step, or reset, has left things: RGB."""

    def action_name(self, action: Any) -> str:
        """Returns an action, as `step` gets it before it is bounded, in a word or few numbers.

        Of several players also one's, for who plays with a keyboard.
        """


@runtime_checkable
class Watchable(Protocol):
    """What an `EnvironmentConfig` may be, too: replays then have pictures."""

    def watch(self, render: bool = False) -> Watched:
        """Builds one environment to watch.

        Args:
          render: pictures are the simulator's own; else they are plainly drawn, where something
            can draw them.

        Raises:
          ConfigError: the simulator cannot make pictures here.
        """


def watched(environment: EnvironmentConfig, render: bool = False) -> Watched:
    """Returns `environment.watch(render)`. Raises: ConfigError: it makes no pictures."""
    if not isinstance(environment, Watchable):
        raise errors.ConfigError(f"{type(environment).__name__} has no pictures")
    return environment.watch(render)
