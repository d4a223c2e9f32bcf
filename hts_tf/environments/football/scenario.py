"""One scenario of gfootball, and what the engine is told of an episode of it.

gfootball is imported inside functions: it brings gym, OpenCV and the engine with it.
"""

import collections
import contextlib
import functools
import importlib.util
import io
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hts_tf import errors, seeding

if TYPE_CHECKING:
    import gfootball_engine
    from gfootball.env import config as gfootball_config

MAX_TEAM_SIZE = 11  # a larger one crashes the engine

_SEED = "game_engine_random_seed"
_NUMBER = "episode_number"
_TRIED_SEEDS = range(16)

_lock = threading.Lock()  # `random` and `np.random` belong to the whole process


class Setup(NamedTuple):
    """What an episode begins with.

    Attributes:
      config: gfootball's configuration.
      drawn: whether the seed may have had a say in it; if not, all seeds lead to the same.
    """

    config: "gfootball_config.Config"
    drawn: bool


class Turns(NamedTuple):
    """What teams that take turns have in an episode.

    Attributes:
      number: of the episode, for the scenario: 1 or 2.
      right_first: whether the engine processes the right team before the left one.
    """

    number: int
    right_first: bool

    @classmethod
    def of(cls, seed: int) -> "Turns":
        """Returns those of an episode: all four are equally likely.

        They are drawn from the seed, as its bits have meanings (see `seeding.episode_seed`).
        """
        number, right_first = (seeding.integer(seed, f"football/{x}") % 2 for x in cls._fields)
        return cls(1 + number, bool(right_first))


class Scenario:
    """A scenario of gfootball, as a function of the episode's seed.

    A scenario is a program that may draw what it likes: from `random`, from `np.random`, or from
    `builder._config["game_engine_random_seed"]`. So all three are seeded, and the program is run
    from the top of its file, so that it cannot remember earlier runs.

    Teams take turns in scenarios that ask for the number of the episode (`builder.EpisodeNumber()`;
    in 11_vs_11, the one that is set first kicks off). gfootball counts episodes; here the seed says
    whose turn it is (`Turns`). It also says which team the engine processes first there, which
    gfootball decides by the first episode's seed: so a match and its mirror image are equally
    likely, and both sides alike. Everywhere else the left team is the first to be processed.

    Attributes:
      config: gfootball's configuration, with seed 0.
      max_episode_steps: the most env steps that an episode can have.
      controllable: how many players of the left and of the right team can be controlled.
      sticky_actions: the engine's numbers of actions that go on until they are released.
    """

    def __init__(
        self,
        name: str,
        left_players: int,
        right_players: int,
        left_difficulty: float | None,
        right_difficulty: float | None,
    ) -> None:
        """Runs the scenario for the first time in this process.

        Args:
          name: its module's in `gfootball.scenarios`.
          left_players: that are controlled; the others are the engine's.
          right_players: the same.
          left_difficulty: of the left team, instead of what the scenario sets; None leaves that.
          right_difficulty: the same.

        Raises:
          ConfigError: it cannot be run.
        """
        self._name = name
        self._players = left_players, right_players
        self._difficulties = {
            "left_team_difficulty": left_difficulty,
            "right_team_difficulty": right_difficulty,
        }
        self._config_type = _config_type()
        with self._blamed():
            self._spec = importlib.util.find_spec(f"gfootball.scenarios.{name}")
            self._code = self._spec.loader.get_code(self._spec.name)
        # Modules that it imports may draw, too, but do so only once: always with this seed, then.
        self.config = self._run(0).config
        # The engine numbers the first env step 0.
        rules = self.config.ScenarioConfig()
        self.max_episode_steps: int = rules.game_duration + 1
        self.sticky_actions = _sticky_actions(self.config)
        self.controllable = rules.controllable_left_players, rules.controllable_right_players
        self._is_checked = False

    def setup(self, seed: int) -> Setup:
        """Runs the scenario for an episode.

        Args:
          seed: of the episode.

        Returns:
          What the engine is to be told.

        Raises:
          ConfigError: it cannot be run, or its outcome not be played.
        """
        setup = self._run(seed)
        rules = setup.config.ScenarioConfig()
        if max(len(rules.left_team), len(rules.right_team)) > MAX_TEAM_SIZE:
            raise self._error("has a team of more than 11 players, which crashes the engine")
        for side, controlled, most in [
            ("left", self._players[0], rules.controllable_left_players),
            ("right", self._players[1], rules.controllable_right_players),
        ]:
            if controlled > most:
                raise self._error(
                    f"has {most} players to control in its {side} team, not "
                    f"Football.{side}_players = {controlled}"
                )
        if rules.control_all_players and rules.dynamic_player_selection:
            raise self._error(
                "sets control_all_players: Football.left_players and right_players must be 0 or "
                f"all, {rules.controllable_left_players} and {rules.controllable_right_players}"
            )
        if rules.game_duration < 0:
            raise self._error(f"sets game_duration = {rules.game_duration}")
        if rules.game_duration + 1 != self.max_episode_steps:
            raise self._error("draws game_duration, which must be the same in all episodes")
        return setup

    def check(self) -> None:
        """Finds out by a few runs, once, whether a seed determines what the engine is told.

        Raises:
          ConfigError: it does not, or see `setup`.
        """
        if self._is_checked:
            return
        known = _values(self.setup(0))
        if _values(self.setup(0)) != known:
            raise self._error(
                "sets up different matches for the same seed; it may draw from random, np.random "
                f"and builder._config[{_SEED!r}], which are seeded, but depend on nothing else"
            )
        for setup in map(self.setup, _TRIED_SEEDS):
            if not setup.drawn and _values(setup) != known:
                raise self._error(f"knows its seed without builder._config[{_SEED!r}]")
        self._is_checked = True

    def _run(self, seed: int) -> Setup:
        turns = Turns.of(seed)
        with self._blamed(), _seeded(seed) as has_drawn:
            module = importlib.util.module_from_spec(self._spec)
            sys.modules[self._spec.name] = module  # where gfootball, and dataclasses, look for it
            exec(self._code, vars(module))
            config = self._config_type(
                {
                    "level": self._name,
                    "players": ["agent:left_players={},right_players={}".format(*self._players)],
                    _SEED: seed,
                    _NUMBER: turns.number - 1,  # is counted up before the scenario is run
                    "reverse_team_processing": False,
                }
            )
            rules = config.ScenarioConfig()
            takes_turns = config.reads[_NUMBER] > 0
            if takes_turns:
                rules.reverse_team_processing = turns.right_first
            for name, difficulty in self._difficulties.items():
                if difficulty is not None:
                    setattr(rules, name, difficulty)
            # gfootball itself reads the seed once if it is to be the engine's.
            own_reads = 0 if rules.deterministic else 1
            asks = takes_turns or config.reads[_SEED] > own_reads
            return Setup(config, drawn=asks or has_drawn())

    @contextlib.contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:
            raise self._error(f"raises {type(error).__name__}: {error}") from error

    def _error(self, why: str) -> errors.ConfigError:
        return errors.ConfigError(
            f"Football.scenario = {self._name!r} {' '.join(why.split())}",
            page="football.md#one-of-yours",
        )


@functools.cache
def load(
    name: str,
    left_players: int = 1,
    right_players: int = 0,
    left_difficulty: float | None = None,
    right_difficulty: float | None = None,
) -> Scenario:
    """Returns a scenario, the same object each time; see `Scenario`."""
    return Scenario(name, left_players, right_players, left_difficulty, right_difficulty)


@functools.cache
def _config_type() -> type["gfootball_config.Config"]:
    # gym greets every process that imports it with a call to use its successor.
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            from gfootball.env import config, scenario_builder  # noqa: F401  imported by config
    except Exception as error:  # e.g. a file beside the scenarios has a name that gym refuses
        raise errors.ConfigError(f"gfootball cannot be imported: {error}") from error

    class Config(config.Config):
        """Counts how often each key is read."""

        def __init__(self, values: dict[str, Any]) -> None:
            self.reads: collections.Counter[str] = collections.Counter()
            super().__init__(values)

        def __getitem__(self, key: str) -> Any:
            self.reads[key] += 1
            return super().__getitem__(key)

    return Config


def _sticky_actions(config: "gfootball_config.Config") -> list["gfootball_engine.e_BackendAction"]:
    from gfootball.env import football_action_set

    return [a._backend_action for a in football_action_set.get_sticky_actions(config)]


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[Callable[[], bool]]:
    """Seeds `random` and `np.random`, and yields whether anyone has drawn from them since.

    Afterwards they go on from where they were.
    """
    with _lock:
        python, numpy = random.getstate(), np.random.get_state()
        random.seed(seed)
        np.random.seed(seed)
        seeded_python, seeded_numpy = random.getstate(), np.random.get_state()

        def has_drawn() -> bool:
            return random.getstate() != seeded_python or not all(
                map(np.array_equal, np.random.get_state(), seeded_numpy)
            )

        try:
            yield has_drawn
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def _values(setup: Setup) -> dict[str, Any]:
    """Returns all that the engine is told, but for the seed of the episode."""
    rules = setup.config.ScenarioConfig()
    fields = [name for name, field in vars(type(rules)).items() if isinstance(field, property)]
    values = {name: getattr(rules, name) for name in fields}
    values["ball_position"] = _point(rules.ball_position)
    for team in ("left_team", "right_team"):
        values[team] = [
            [_point(player.position), player.role, player.lazy, player.controllable]
            for player in values[team]
        ]
    if not rules.deterministic:
        del values[_SEED]
    return values


def _point(position: "gfootball_engine.Vector3") -> list[float]:
    return [position[axis] for axis in range(3)]
