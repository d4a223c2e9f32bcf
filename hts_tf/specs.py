"""What arrays look like: the shapes and types that environments, storages and networks agree on.

Imported by executor processes: numpy only.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hts_tf import errors, trees


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """An array handed over as it is.

    Attributes:
      shape: of one observation or action, without time or batch.
      dtype: numpy dtype name.
      scale: the network multiplies the float32 cast of the array by this.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0

    @property
    def nbytes(self) -> int:
        """Bytes of one of them."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def __post_init__(self) -> None:
        """Raises: ConfigError: there are no such arrays."""
        shape_is_known = isinstance(self.shape, tuple) and all(
            isinstance(n, int | np.integer) and n > 0 for n in self.shape
        )
        if not shape_is_known:
            raise errors.ConfigError(f"a spec's shape is a tuple of sizes, not {self.shape!r}")
        try:
            dtype = np.dtype(self.dtype)
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind not in ("b", "i", "u", "f"):
            raise errors.ConfigError(
                f"a spec's dtype is the name of bools, whole numbers or floats, not {self.dtype!r}"
            )
        object.__setattr__(self, "dtype", dtype.name)  # where it is np.float32 itself

    def check(self, arrays: np.ndarray) -> None:
        """Raises: ConfigError: some of the arrays [n, ...] cannot be of this kind."""


@dataclasses.dataclass(frozen=True)
class PixelMapSpec(ArraySpec):
    """A stack of sparse binary images, handed over as the positions of their set pixels.

    One observation is `frames` x `pixels` positions, oldest frame first; a position is
    `y * width + x`, or `NO_PIXEL` where there is none. The pixel in column k lies on plane
    `planes[k]` of its frame, and no plane holds the same position twice, so the dense image
    is the plain sum of its pixels.

    Attributes:
      height: of the image, in pixels.
      width: of the image, in pixels.
      planes: plane index of each of the `pixels` columns of a frame.
    """

    height: int = 0
    width: int = 0
    planes: tuple[int, ...] = ()

    NO_PIXEL = 0xFFFF

    @property
    def frames(self) -> int:
        """How many frames are stacked."""
        return self.shape[0]

    @property
    def dense_shape(self) -> tuple[int, int, int]:
        """Shape [height, width, channels] of the image; channels are frame-major, oldest first."""
        return self.height, self.width, self.frames * (max(self.planes) + 1)

    def from_image(self, image: np.ndarray) -> np.ndarray:
        """Finds the set pixels of a dense image; in each plane, from top left to bottom right.

        Args:
          image: of `dense_shape`; what is not 0 is set.

        Raises:
          ConfigError: a plane has more of them than can be handed over.
        """
        positions = np.full(self.shape, self.NO_PIXEL, self.dtype)
        planes = np.array(self.planes)
        pixels = np.reshape(image, (self.height * self.width, self.frames, max(planes) + 1))
        for plane in set(self.planes):
            (columns,) = np.nonzero(planes == plane)
            for frame in range(self.frames):
                (found,) = np.nonzero(pixels[:, frame, plane])
                if len(found) > len(columns):
                    raise errors.ConfigError(
                        f"plane {plane} of an image has {len(found)} set pixels, at most "
                        f"{len(columns)} are of such an observation"
                    )
                positions[frame, columns[: len(found)]] = found
        return positions


@dataclasses.dataclass(frozen=True)
class DiscreteSpec(ArraySpec):
    """One of the integers 0 to num_values - 1: an action, or something observed.

    Attributes:
      num_values: how many.
      dtype: "" takes the smallest type that holds them.
    """

    shape: tuple[int, ...] = ()
    dtype: str = ""
    num_values: int = 0

    def __post_init__(self) -> None:
        """Raises: ConfigError: there are no such values."""
        _settle_num_values(self, [self.num_values])

    def check(self, arrays: np.ndarray) -> None:
        """See base class."""
        for number in (arrays.max(initial=0), arrays.min(initial=0)):
            if not 0 <= number < self.num_values:
                raise errors.ConfigError(
                    f"action {number}, but the environment has only {self.num_values} actions"
                )


@dataclasses.dataclass(frozen=True)
class MultiDiscreteSpec(ArraySpec):
    """Several such integers, each with a number of values of its own.

    Attributes:
      num_values: how many each of them has, in the order of the array.
      shape: () takes a vector of them.
      dtype: "" takes the smallest type that holds all of them.
    """

    shape: tuple[int, ...] = ()
    dtype: str = ""
    num_values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Raises: ConfigError: there are no such values."""
        if not isinstance(self.num_values, tuple) or not self.num_values:
            raise errors.ConfigError(
                f"a tuple must say how many values there are, not {self.num_values!r}"
            )
        if not self.shape:
            object.__setattr__(self, "shape", (len(self.num_values),))
        _settle_num_values(self, self.num_values)
        if math.prod(self.shape) != len(self.num_values):
            raise errors.ConfigError(f"{len(self.num_values)} numbers are no array {self.shape}")

    def check(self, arrays: np.ndarray) -> None:
        """See base class."""
        rows = arrays.reshape(-1, len(self.num_values))
        for numbers in (rows.max(axis=0, initial=0), rows.min(axis=0, initial=0)):
            if not ((numbers >= 0) & (numbers < self.num_values)).all():
                raise errors.ConfigError(
                    f"action {numbers.tolist()}, but the environment has only "
                    f"{list(self.num_values)} actions"
                )


@dataclasses.dataclass(frozen=True)
class BoxSpec(ArraySpec):
    """An action of numbers within bounds, and how any number becomes one of these.

    Policies choose without bounds, and what they chose is what is stored and learnt from. What the
    environment plays is made of it at the last moment, by numpy, in the executor.

    Attributes:
      low: the lowest of each number, in the order of the array; -inf where there is none.
      high: the highest, or inf.
      bounded_by: 'clip' takes the nearest number within the bounds; 'tanh' takes
        low + (high - low) * (1 + tanh(x)) / 2, for which all bounds must be finite.
    """

    dtype: str = "float32"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    bounded_by: Literal["clip", "tanh"] = "clip"

    def __post_init__(self) -> None:
        """Raises: ConfigError: there are no such actions."""
        super().__post_init__()
        size = math.prod(self.shape)
        if len(self.low) != size or len(self.high) != size:
            raise errors.ConfigError(f"an action {self.shape} has {size} lower and upper bounds")
        if not all(low <= high for low, high in zip(self.low, self.high, strict=True)):
            raise errors.ConfigError("an action's lower bounds must not exceed its upper ones")
        if self.bounded_by not in ("clip", "tanh"):
            raise errors.ConfigError(f"actions are bounded by clip or tanh, not {self.bounded_by}")
        with np.errstate(over="ignore", invalid="ignore"):
            span = self.bounds[1] - self.bounds[0]
        if self.bounded_by == "tanh" and not np.isfinite(span).all():
            raise errors.ConfigError(
                "actions without finite bounds, or with such large ones, cannot be bounded by "
                "tanh: clip them"
            )

    @functools.cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest action, in the spec's shape and dtype."""
        low, high = (np.array(b, self.dtype).reshape(self.shape) for b in (self.low, self.high))
        return low, high

    def check(self, arrays: np.ndarray) -> None:
        """See base class."""
        if not np.isfinite(arrays).all():
            raise errors.ConfigError("an action that is not finite")

    def bounded(self, action: np.ndarray) -> np.ndarray:
        """Returns what the environment plays for an action."""
        low, high = self.bounds
        if self.bounded_by == "clip":
            return np.clip(action, low, high)
        # Clipped, too: rounding may lead past a bound.
        return np.clip(low + (high - low) * (0.5 * (1.0 + np.tanh(action))), low, high).astype(
            self.dtype, copy=False
        )


def values_of(spec: DiscreteSpec | MultiDiscreteSpec) -> np.ndarray:
    """Returns how many values each number of an array of choices has; [] where all have as many."""
    return np.reshape(spec.num_values, spec.shape if np.ndim(spec.num_values) else ())


def _settle_num_values(spec: ArraySpec, numbers: Sequence[int]) -> None:
    """Checks how many values there are; a spec without a dtype gets the smallest that fits."""
    for number in numbers:
        if not isinstance(number, int | np.integer) or number < 1:
            raise errors.ConfigError(f"there must be at least 1 value, not {number!r}")
    most = int(max(numbers))
    if not spec.dtype:
        object.__setattr__(spec, "dtype", np.min_scalar_type(most - 1).name)
    ArraySpec.__post_init__(spec)
    if np.dtype(spec.dtype).kind not in "iu" or most - 1 > np.iinfo(spec.dtype).max:
        raise errors.ConfigError(f"{most} values do not fit into {spec.dtype}")


@dataclasses.dataclass(frozen=True)
class EnvironmentSpec:
    """What the trainer needs to know of an environment before one exists.

    Attributes:
      observation: of one player's: an `ArraySpec`, or dicts and tuples of them, also nested. In
        a dict, an array of bools `ACTION_MASK` says which values of a discrete action, or of each
        number of a multi-discrete one, one after another, are permitted.
      action: of one player: a `DiscreteSpec` for one choice, a `MultiDiscreteSpec` for several, a
        `BoxSpec`, floats without bounds, or bools.
      max_episode_steps: no episode lasts longer, in env steps.
      num_players: P, who act at the same time, each with an observation and an action of its own.
      num_rivals: how many of them, the last ones, are on another side: whom `Trainer.opponents`
        may have played by others. Scores and returns are those of the players before them.
      rivals_of_tasks: of each task that episodes may be of, how many of the rivals it has, the
        first ones; empty where all episodes are of one task. See `environments.tasks`.
      figures: names of numbers, F, that tell more of an episode, see `base.StepResult`.
      history_free: whether (episode seed, actions) determine all of an episode, see
        `environments.base`. Where they do not, no run repeats, and an episode whose executor has
        died ends as truncated.
      in_threads: whether several may be stepped at once by threads of a process, and are faster so.
    """

    observation: trees.Tree
    action: ArraySpec
    max_episode_steps: int
    history_free: bool = True
    num_players: int = 1
    num_rivals: int = 0
    rivals_of_tasks: tuple[int, ...] = ()
    figures: tuple[str, ...] = ()
    in_threads: bool = False

    def __post_init__(self) -> None:
        """Raises: ConfigError: there are no such environments."""
        seen = [*trees.named(self.observation, "observation")]
        for name, leaf in [*seen, ("action", self.action)]:
            if not isinstance(leaf, ArraySpec):
                raise errors.ConfigError(f"an environment's {name} is {leaf!r:.80}, not a spec")
        if len(dict(seen)) != len(seen) or not seen:
            names = ", ".join(name for name, _ in seen) or "no array"
            raise errors.ConfigError(
                f"an environment's observation has arrays with names of their own, not {names}"
            )
        steps = self.max_episode_steps
        if not isinstance(steps, int | np.integer) or steps < 1:
            raise errors.ConfigError(f"an episode has at least 1 env step, not {steps!r}")
        if not 1 <= self.num_players <= MAX_PLAYERS:
            raise errors.ConfigError(
                f"an environment has 1 to {MAX_PLAYERS} players, not {self.num_players}"
            )
        if not 0 <= self.num_rivals < self.num_players:
            raise errors.ConfigError(
                f"of {self.num_players} players, {self.num_rivals} cannot be on another side"
            )
        taken = {"score", "return", "episode_return", "length", "finished", "episode", "task", ""}
        for number, name in enumerate(self.figures):
            if name in {*taken, *self.figures[:number]}:
                raise errors.ConfigError(f"an environment's figure {name!r} needs another name")

    @property
    def num_tasks(self) -> int:
        """How many tasks episodes may be of; an episode's seed says which, `seeding.task_of`."""
        return len(self.rivals_of_tasks) or 1

    @property
    def num_own(self) -> int:
        """How many players are no rivals: the first ones, whose scores and returns count."""
        return self.num_players - self.num_rivals

    def mean_of_own(self, values: np.ndarray) -> float:
        """Returns the mean of what an env step gave them, of values of all players."""
        return float(np.mean(np.ravel(values)[: self.num_own]))

    def has_rivals(self, task: int) -> bool:
        """Returns whether somebody is met in episodes of a task."""
        return (self.rivals_of_tasks or (self.num_rivals,))[task] > 0

    def takes_part(self, task: int) -> np.ndarray | bool:
        """Returns who does in episodes of a task, [P] bool; or True, where that is everybody."""
        if not self.rivals_of_tasks:
            return True
        return np.arange(self.num_players) < self.num_own + self.rivals_of_tasks[task]

    @property
    def players(self) -> tuple[int, ...]:
        """The axis in front of what environments take and hand over: (P,), or () for a single one.

        Whatever is laid out elsewhere has the axis, also for one player.
        """
        return (self.num_players,) if self.num_players > 1 else ()

    def played(self, actions: np.ndarray) -> Any:
        """Returns what an environment is given of all players' actions, [P, ...]."""
        return plain(actions if self.players else actions[0])

    def new_observation(self) -> trees.Tree:
        """Returns arrays that an environment can write an observation of all players to."""
        return trees.map(
            lambda leaf: np.zeros((*self.players, *leaf.shape), leaf.dtype), self.observation
        )

    def by_player(self, observation: trees.Tree) -> trees.Tree:
        """Returns what an environment writes to, see `new_observation`, as [P, ...]: no copy."""
        return trees.map(
            lambda array, leaf: array.reshape(-1, *leaf.shape), observation, self.observation
        )


# The entry of an observation that says which actions are permitted.
ACTION_MASK = "action_mask"

# The entry of an observation that only values see, not policies: of a central critic (MAPPO, Yu et
# al. 2022, arXiv 2103.01955), which is there while learning and not needed to act.
CRITIC_STATE = "critic_state"

# The entry of an observation that tells agents who they are, a `DiscreteSpec` of as many values as
# there are agents.
AGENT = "agent"

# What an environment may have of them: more than any game that is known to us needs.
MAX_PLAYERS = 128


def action_mask_of(observation: trees.Tree) -> Any | None:
    """Returns the entry `ACTION_MASK` of an observation, or of its spec; None without one."""
    return observation.get(ACTION_MASK) if isinstance(observation, dict) else None


def has_critic_state(observation: trees.Tree) -> bool:
    """Returns whether an observation, or its spec, has an entry `CRITIC_STATE`."""
    return isinstance(observation, dict) and CRITIC_STATE in observation


def all_finite(array: np.ndarray) -> bool:
    """Returns whether no element of an array of numbers is NaN or infinite."""
    # The scalar product is not finite if any element isn't, and costs a third of asking all.
    return math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())


def plain(action: np.ndarray) -> Any:
    """Returns an action as environments get it: a number as Python's own, an array as it is."""
    return action if np.ndim(action) else action.item()
