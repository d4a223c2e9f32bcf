"""The evaluator: plays whole episodes with a fixed policy, on seeds that training never uses."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np

from hts_tf import seeding, specs, trees
from hts_tf.collecting.policy import Policy, ask
from hts_tf.environments import base, checked
from hts_tf.files.archive import Record
from hts_tf.system import processors

PARALLEL = 16  # environments at once, where nothing else is to be considered


class Played(NamedTuple):
    """What came of an episode, for the side of the first player.

    Attributes:
      record: of the episode, as that of environment 0 and interval 0.
      gained: its positive scores, added up; in football, the goals for it.
      conceded: its negative ones, without their sign; in football, the goals against it.
    """

    record: Record
    gained: float
    conceded: float


class _Side(NamedTuple):
    """Players who are one policy's.

    Attributes:
      policy: of them.
      players: which of the environment's they are.
      count: of them.
    """

    policy: Policy
    players: slice
    count: int

    def initial_state(self) -> trees.Tree:
        return self.policy.initial_state((self.count,))

    def draw_noise(self, random: np.random.Generator) -> np.ndarray:
        return self.policy.draw_noise(random, (self.count,))


def _sides(spec: specs.EnvironmentSpec, policy: Policy, rivals: Policy | None) -> list[_Side]:
    if rivals is None:
        return [_Side(policy, slice(None), spec.num_players)]
    return [
        _Side(policy, slice(None, spec.num_own), spec.num_own),
        _Side(rivals, slice(spec.num_own, None), spec.num_rivals),
    ]


class _Match:
    """One environment, playing one evaluation episode after another.

    Attributes:
      thread: the only one that touches the environment, as an executor has it.
    """

    def __init__(
        self,
        environment: base.EnvironmentConfig,
        seed: int,
        sides: Sequence[_Side],
        on_progress: Callable[[], None],
        thread: futures.Executor,
    ) -> None:
        spec = environment.spec
        self.thread = thread
        self._environment = checked.make(environment)
        self._seed = seed
        self._action_bytes = spec.action.nbytes * spec.num_players
        self._spec = spec
        self._written = spec.new_observation()
        self.observation = spec.by_player(self._written)
        self._sides = sides
        self._on_progress = on_progress
        on_progress()

    def begin(self, number: int) -> None:
        self.number = number
        self.states = [side.initial_state() for side in self._sides]
        self._actions = bytearray()
        self._gained = 0.0
        self._conceded = 0.0
        self._score = 0.0
        self._return = 0.0
        self.random = seeding.evaluation_noise(self._seed, number)
        self._task = number % self._spec.num_tasks
        self._episode_seed = seeding.evaluation_seed(self._seed, number, self._spec.num_tasks)
        with self._named():
            self._environment.reset(self._episode_seed, self._written)
        self._on_progress()

    def step(self, actions: np.ndarray) -> bool:
        """Plays actions [P, ...]; returns whether the episode has ended."""
        with self._named():
            result = self._environment.step(self._spec.played(actions), self._written)
        self._on_progress()
        self._actions += actions.tobytes()
        score = self._spec.mean_of_own(result.score)
        self._score += score
        self._gained += max(score, 0.0)
        self._conceded += max(-score, 0.0)
        self._figures = tuple(map(float, result.figures))
        self._return += self._spec.mean_of_own(result.reward)
        return result.is_over

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Lets a broken rule say in which episode it was."""
        try:
            yield
        except checked.ProtocolError as error:
            raise checked.ProtocolError(
                f"evaluation episode {self.number}, seed {self._episode_seed}: {error}"
            ) from None

    def played(self) -> Played:
        record = Record(
            env=0,
            episode=self.number,
            seed=self._episode_seed,
            interval=0,
            score=self._score,
            episode_return=self._return,
            actions=bytes(self._actions),
            action_bytes=self._action_bytes,
            task=self._task,
            figures=self._figures,
        )
        return Played(record, self._gained, self._conceded)

    def close(self) -> None:
        self._environment.close()


def play(
    environment: base.EnvironmentConfig,
    policy: Policy,
    num_episodes: int,
    seed: int,
    max_parallel: int,
    deterministic_policy: bool = False,
    rivals: Policy | None = None,
    on_progress: Callable[[], None] = lambda: None,
) -> list[Played]:
    """Plays episodes, several at once; which are played together does not influence them.

    Args:
      environment: recipe of the environment.
      policy: takes batches of at least `max_parallel` times the number of players.
      num_episodes: how many; of several tasks, one after the other of each.
      seed: selects the episodes' seeds and the policy's noise.
      max_parallel: environments at once.
      deterministic_policy: always take the most probable action.
      rivals: who plays the environment's rivals; takes batches as the policy does, and may
        remember otherwise. None lets the policy play them.
      on_progress: called, by any thread, after each construction, reset and step of an environment.

    Returns:
      The episodes, in the order of their numbers.

    Raises:
      ProtocolError: an environment broke a rule.
    """
    parallel = min(max_parallel, num_episodes)
    sides = _sides(environment.spec, policy, rivals)
    matches: list[_Match] = []
    waiting = list(range(parallel, num_episodes))
    finished: dict[int, Played] = {}
    with contextlib.ExitStack() as stack:
        num_threads = min(parallel, processors.usable_cores())
        threads: list[futures.Executor] = [_Here()]
        if environment.spec.in_threads and num_threads > 1:
            threads = [
                stack.enter_context(futures.ThreadPoolExecutor(1)) for _ in range(num_threads)
            ]
        try:
            for _, thread in zip(range(parallel), itertools.cycle(threads), strict=False):
                about = (environment, seed, sides, on_progress, thread)
                matches.append(thread.submit(_Match, *about).result())
            _each(_Match.begin, matches, range(parallel))
            while matches:
                actions = _actions(matches, sides, deterministic_policy)
                ended = _each(_Match.step, matches, actions)
                over = list(itertools.compress(matches, ended))
                finished |= {match.number: match.played() for match in over}
                numbers, waiting = waiting[: len(over)], waiting[len(over) :]
                _each(_Match.begin, over[: len(numbers)], numbers)
                for match in over[len(numbers) :]:
                    _each(_Match.close, [match])
                    matches.remove(match)
        finally:
            with contextlib.ExitStack() as closing:  # each, also if another's fails
                for match in matches:
                    closing.callback(_each, _Match.close, [match])
    return [finished[number] for number in sorted(finished)]


class _Here(futures.Executor):
    """Does what it is given in the calling thread, as an executor steps its environments."""

    def submit(self, do: Callable[..., Any], *arguments: Any) -> futures.Future:
        """See base class."""
        done: futures.Future = futures.Future()
        try:
            done.set_result(do(*arguments))
        except Exception as error:
            done.set_exception(error)
        return done


def _each(
    do: Callable[..., Any], matches: Sequence[_Match], *arguments: Iterable[Any]
) -> list[Any]:
    """Has something done to matches, by their threads at once; returns what comes of it."""
    parts: dict[futures.Executor, list[tuple[int, Sequence[Any]]]] = {}
    for number, about in enumerate(zip(matches, *arguments, strict=True)):
        parts.setdefault(about[0].thread, []).append((number, about))

    def do_all(part: list[tuple[int, Sequence[Any]]]) -> dict[int, Any]:
        return {number: do(*about) for number, about in part}

    calls = [thread.submit(do_all, part) for thread, part in parts.items()]
    futures.wait(calls)  # also for those that go on when one has failed
    results = dict(itertools.chain(*(call.result().items() for call in calls)))
    return [results[number] for number in range(len(matches))]


def _actions(
    matches: Sequence[_Match], sides: Sequence[_Side], deterministic_policy: bool
) -> np.ndarray:
    """Returns what all players of all matches do, [n, P, ...]; these remember what they have to."""
    seen = trees.stacked([match.observation for match in matches])
    actions = []
    for number, side in enumerate(sides):
        noise = np.stack([side.draw_noise(match.random) for match in matches])
        answer = ask(
            side.policy,
            trees.map(lambda array, which=side.players: array[:, which], seen),
            np.zeros_like(noise) if deterministic_policy else noise,
            trees.stacked([match.states[number] for match in matches]),
        )
        for row, match in enumerate(matches):
            match.states[number] = trees.map(lambda array, row=row: array[row], answer.state)
        actions.append(answer.action)
    return np.concatenate(actions, axis=1)
