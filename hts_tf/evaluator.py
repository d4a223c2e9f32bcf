"""The evaluator: plays whole episodes with a fixed policy, on seeds that training never uses."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from hts_tf import seeding, specs, trees
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base, checked
from hts_tf.files.archive import Record
from hts_tf.system import processors

_BOOTSTRAPS = 1000  # times that episodes are drawn again, for an interval


class Played(NamedTuple):
    """What came of an episode, for the side of the first player.

    Attributes:
      record: of the episode, as that of slot 0 and interval 0.
      gained: its positive scores, added up; in football, the goals for it.
      conceded: its negative ones, without their sign; in football, the goals against it.
    """

    record: Record
    gained: float
    conceded: float


class _Match:
    """One environment, playing one evaluation episode after another."""

    def __init__(
        self, environment: base.EnvironmentConfig, seed: int, initial_state: trees.Tree
    ) -> None:
        spec = environment.spec
        self._environment = checked.make(environment)
        self._seed = seed
        self._action_bytes = spec.action.nbytes * spec.num_players
        self._num_players = spec.num_players
        self._num_rivals = spec.num_rivals
        self._num_tasks = spec.num_tasks
        self._written = spec.new_observation()
        self.observation = spec.by_player(self._written)
        self._initial_state = initial_state

    def begin(self, number: int) -> None:
        self.number = number
        self.state = self._initial_state
        self._actions = bytearray()
        self._gained = 0.0
        self._conceded = 0.0
        self._score = 0.0
        self._return = 0.0
        self.random = seeding.generator(self._seed, "evaluation noise", number)
        self._task = number % self._num_tasks
        self._episode_seed = seeding.episode_seed(
            self._seed, 0, number, evaluation=True, task=self._task, num_tasks=self._num_tasks
        )
        with self._named():
            self._environment.reset(self._episode_seed, self._written)

    def step(self, actions: np.ndarray) -> bool:
        """Plays actions [P, ...]; returns whether the episode has ended."""
        with self._named():
            action = actions[0] if self._num_players == 1 else actions
            result = self._environment.step(specs.plain(action), self._written)
        self._actions += actions.tobytes()
        own = slice(self._num_players - self._num_rivals)
        score = float(np.mean(np.ravel(result.score)[own]))
        self._score += score
        self._gained += max(score, 0.0)
        self._conceded += max(-score, 0.0)
        self._figures = tuple(map(float, result.figures))
        self._return += float(np.mean(np.ravel(result.reward)[own]))
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
            slot=0,
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


def evaluate(
    environment: base.EnvironmentConfig,
    policy: Policy,
    num_episodes: int,
    seed: int,
    max_parallel: int,
    deterministic_policy: bool = False,
    rivals: Policy | None = None,
) -> list[Record]:
    """Plays episodes; see `play`.

    Returns:
      Their records.

    Raises:
      ProtocolError: an environment broke a rule.
    """
    played = play(
        environment, policy, num_episodes, seed, max_parallel, deterministic_policy, rivals
    )
    return [episode.record for episode in played]


def play(
    environment: base.EnvironmentConfig,
    policy: Policy,
    num_episodes: int,
    seed: int,
    max_parallel: int,
    deterministic_policy: bool = False,
    rivals: Policy | None = None,
) -> list[Played]:
    """Plays episodes, several at once; which are played together does not influence them.

    Args:
      environment: recipe of the environment.
      policy: takes batches of at least `max_parallel` times the number of players.
      num_episodes: how many; of several tasks, one after the other of each.
      seed: selects the episodes' seeds and the policy's noise.
      max_parallel: environments at once.
      deterministic_policy: always take the most probable action.
      rivals: who plays the environment's rivals, an agent of the same kind; None lets the policy.

    Returns:
      The episodes, in the order of their numbers.

    Raises:
      ProtocolError: an environment broke a rule.
    """
    parallel = min(max_parallel, num_episodes)
    num_players = environment.spec.num_players
    initial_state = trees.map(lambda s: np.zeros((num_players, *s.shape), s.dtype), policy.state)
    matches = [_Match(environment, seed, initial_state) for _ in range(parallel)]

    def noise(match: _Match) -> np.ndarray:
        drawn = policy.draw_noise(match.random, (num_players,))
        return np.zeros_like(drawn) if deterministic_policy else drawn

    numbers = itertools.count(parallel)
    finished: dict[int, Played] = {}
    with futures.ThreadPoolExecutor(processors.usable_cores()) as threads:
        try:
            list(threads.map(_Match.begin, matches, range(parallel)))
            while matches:
                asked = (
                    _stacked([match.observation for match in matches]),
                    np.stack([noise(match) for match in matches]),
                    _stacked([match.state for match in matches]),
                )
                answer = _answered(asked, policy, rivals, environment.spec.num_rivals)
                for row, match in enumerate(matches):
                    match.state = trees.map(lambda array, row=row: array[row], answer.state)
                ended = list(threads.map(_Match.step, matches, answer.action))
                for match in itertools.compress(matches.copy(), ended):
                    finished[match.number] = match.played()
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


def _answered(
    asked: tuple[trees.Tree, np.ndarray, trees.Tree],
    policy: Policy,
    rivals: Policy | None,
    num_rivals: int,
) -> specs.Answer:
    """Returns answers [n, P, ...] to observations, noise and states [n, P, ...]."""
    if rivals is None:
        return _by(policy, asked)
    own, others = slice(None, -num_rivals), slice(-num_rivals, None)
    parts = [
        _by(who, trees.map(lambda array, which=which: array[:, which], asked))
        for who, which in ((policy, own), (rivals, others))
    ]
    return trees.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)


def _by(policy: Policy, asked: tuple[trees.Tree, np.ndarray, trees.Tree]) -> specs.Answer:
    shape = asked[1].shape[:2]
    rows = trees.map(lambda array: array.reshape(-1, *array.shape[2:]), asked)
    return trees.map(lambda array: array.reshape(*shape, *array.shape[1:]), policy.act(*rows))


def _stacked(parts: list[trees.Tree]) -> trees.Tree:
    return trees.map(lambda *leaves: np.stack(leaves), *parts)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Returns where the mean of ever more episodes is likely to be, with 95 % confidence.

    Args:
      values: [episodes], such as scores.

    Returns:
      The lower and the upper end, by the bootstrap's percentiles (Efron 1979); the same for the
      same values.
    """
    random = np.random.default_rng(0)
    means = [random.choice(values, len(values)).mean() for _ in range(_BOOTSTRAPS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def between(values: np.ndarray) -> str:
    """Says the interval of a mean in words; equal values have none that says anything."""
    if (values == values[0]).all():
        return "no interval, as all are the same"
    low, high = interval(values)
    return f"95 % interval {low:.3f} to {high:.3f}"


def described(episodes: Sequence[Record]) -> str:
    """Says on one line how a policy has played: the means of its episodes."""
    scores = np.array([episode.score for episode in episodes])
    score = f"score {scores.mean():.3f} ({between(scores)})"
    return f"{score}, return {np.mean([episode.episode_return for episode in episodes]):.2f}"
