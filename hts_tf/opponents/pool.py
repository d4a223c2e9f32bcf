"""The pool: whom episodes meet. It changes only at sync points, by results so far."""

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Protocol

import numpy as np
from annotated_types import Ge, Le

from hts_tf import errors, seeding, specs, trees, values
from hts_tf.collecting.policy import Policy
from hts_tf.configurables import configurable
from hts_tf.networks.agent import Agent
from hts_tf.opponents import weightings
from hts_tf.opponents.scripted import Scripted

SELF = 0  # the number of the current policy
ITSELF = "itself"  # and its name

WIN, DRAW, LOSS = range(3)


@configurable
@dataclasses.dataclass(frozen=True)
class Opponents:
    """Who plays the environment's rivals, as gin binds it.

    Attributes:
      self_play: share of the episodes that are against the current policy itself; both sides are
        learnt from then. While there is nobody else, all are.
      snapshot_every_updates: how often the policy joins the pool, frozen; None for never.
      pool_size: snapshots that can be met; when there are more, the one is left out that leaves
        the smallest gap. The files of all of them stay.
      weighting: how often the others are met: `@uniform`, `@latest`, `@prioritised`, or a function
        of yours.
      scripted: further opponents, such as (`@Always`,).

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    self_play: values.Fraction = 0.5
    snapshot_every_updates: values.Count | None = 50
    pool_size: Annotated[int, Ge(1), Le(1000)] = 10
    weighting: weightings.Weighting = weightings.uniform
    scripted: Sequence[Callable[[specs.EnvironmentSpec], Scripted]] = ()


class Snapshots(Protocol):
    """Where frozen parameters are kept, by the update that made them; see `files.snapshots`."""

    def save(self, updates: int, agent: Agent) -> None:
        """Keeps an agent's."""

    def load(self, updates: int, agent: Agent) -> None:
        """Gives an agent those of an update."""


class Pool:
    """Opponents by number: 0 is the current policy, then scripted ones, then snapshots by age."""

    def __init__(
        self,
        settings: Opponents,
        environment: specs.EnvironmentSpec,
        policy: Policy,
        make_agent: Callable[[], Agent],
        snapshots: Snapshots,
        seed: int,
    ) -> None:
        """Begins with the scripted ones.

        Args:
          settings: of the pool.
          environment: its spec.
          policy: the current one.
          make_agent: makes an agent like the current policy's.
          snapshots: where they are kept.
          seed: of the run.
        """
        self._settings = settings
        self._policy = policy
        self._make_agent = make_agent
        self._snapshots = snapshots
        self._seed = seed
        self._num_rivals = environment.num_rivals
        self._scripted = [make(environment) for make in settings.scripted]
        self._names = [ITSELF, *(type(opponent).__name__ for opponent in self._scripted)]
        self._taken: list[int] = []  # the updates of all snapshots, in their order
        self._met = list(range(1, len(self._names)))  # numbers that can be met, beside `SELF`
        self._results = np.zeros((len(self._names), 3), np.int64)
        self._frozen: dict[int, Policy] = {}
        self._spare: list[tuple[Policy, Agent]] = []
        self._agents: dict[int, Agent] = {}
        self._set_table()

    # ---- The actors' questions ------------------------------------------------------------------

    def number(self, slot: int, episode: int) -> int:
        """Returns whom an episode meets, if it begins now."""
        drawn = seeding.generator(self._seed, "opponent", slot, episode).random()
        numbers, ends = self._table
        return numbers[min(bisect.bisect_right(ends, drawn), len(numbers) - 1)]

    def act(
        self, who: np.ndarray, observation: trees.Tree, noise: np.ndarray, state: trees.Tree
    ) -> specs.Answer:
        """Answers observations, each by who is to.

        Args:
          who: [n], numbers.
          observation: [n, ...].
          noise: [n, ...].
          state: [n, ...].
        """
        # All by the current policy first: what others do not say, such as values, is its.
        answer = self._policy.act(observation, noise, state)
        others = np.unique(who[who != SELF]).tolist()
        if not others:
            return answer
        answer = trees.map(np.array, answer)
        for number in others:
            rows = np.flatnonzero(who == number)
            own = [trees.map(lambda x, r=rows: x[r], tree) for tree in (observation, noise, state)]
            if number <= len(self._scripted):
                answer.action[rows] = self._scripted[number - 1].act(*own[:2])
                continue
            found = self._frozen[number].act(*own)
            for (_, array), (_, part) in zip(trees.named(answer), trees.named(found), strict=True):
                array[rows] = part
        return answer

    @property
    def names(self) -> Sequence[str]:
        """Those of all that there ever were, by number."""
        return self._names

    # ---- At sync points -------------------------------------------------------------------------

    def update(
        self, results: Iterable[tuple[int, float]], agent: Agent, updates: int, playing: np.ndarray
    ) -> None:
        """Takes results, and the agent as it is now, if it is time for a snapshot.

        Args:
          results: of episodes that ended: whom they met, and the learner's score.
          agent: the current policy's.
          updates: that the learner has made.
          playing: [num_envs], whom running episodes meet.

        Raises:
          OSError: a snapshot cannot be written; names it.
        """
        for number, score in results:
            self._results[number, WIN if score > 0 else LOSS if score < 0 else DRAW] += 1
        every = self._settings.snapshot_every_updates
        if every and updates and updates % every == 0 and updates not in self._taken:
            self._snapshots.save(updates, agent)
            self._taken.append(updates)
            self._names.append(f"update {updates:,}")
            self._results = np.concatenate([self._results, np.zeros((1, 3), np.int64)])
            self._met.append(len(self._names) - 1)
            self._thin()
        self._load(playing)
        self._set_table()

    def figures(self) -> dict[str, float]:
        """Returns scalars for the log: win rates against those who can be met."""
        rates = weightings.win_rates(self._results)
        return {
            "opponents/pool": float(len(self._met)),
            **{f"opponents/win_rate/{self._names[n]}": float(rates[n]) for n in self._met},
        }

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        return {
            "opponents/taken": np.array(self._taken, np.int64),
            "opponents/met": np.array(self._met, np.int64),
            "opponents/results": self._results,
        }

    def restore(self, state: dict[str, np.ndarray], playing: np.ndarray) -> None:
        """Goes on from a saved state; for `playing` see `update`.

        Raises:
          ConfigError: a snapshot is missing, damaged, or of another network.
        """
        self._taken = state["opponents/taken"].tolist()
        self._met = state["opponents/met"].tolist()
        self._results = state["opponents/results"].copy()
        self._names = self._names[: 1 + len(self._scripted)]
        self._names += [f"update {updates:,}" for updates in self._taken]
        self._load(playing)
        self._set_table()

    def _thin(self) -> None:
        """Leaves out the snapshot whose neighbours in time are nearest to each other."""
        first = 1 + len(self._scripted)
        snapshots = [number for number in self._met if number >= first]
        if len(snapshots) <= self._settings.pool_size:
            return
        ages = [self._taken[number - first] for number in snapshots]
        gaps = [after - before for before, after in zip(ages, ages[2:], strict=False)]
        # The oldest stays, and so does the newest.
        self._met.remove(snapshots[1 + int(np.argmin(gaps))] if gaps else snapshots[0])

    def _load(self, playing: np.ndarray) -> None:
        """Has those in memory who can be met, or are met right now."""
        first = 1 + len(self._scripted)
        needed = {n for n in (*self._met, *np.unique(playing).tolist()) if n >= first}
        for number in self._frozen.keys() - needed:
            self._spare.append((self._frozen.pop(number), self._agents.pop(number)))
        for number in sorted(needed - self._frozen.keys()):
            policy, agent = self._spare.pop() if self._spare else self._new_policy()
            self._snapshots.load(self._taken[number - first], agent)
            self._frozen[number], self._agents[number] = policy, agent

    def _new_policy(self) -> tuple[Policy, Agent]:
        agent = self._make_agent()
        return Policy(agent, self._policy.max_batch, self._policy.batching), agent

    def _set_table(self) -> None:
        """Sets whom episodes meet that begin from now on: numbers, and where each one's part ends.

        Replaced as a whole: actors may be looking.
        """
        weights = self._settings.weighting(self._results[self._met]) if self._met else np.zeros(0)
        weights = np.asarray(weights, np.float64)
        if weights.shape != (len(self._met),) or not (weights >= 0).all():
            raise errors.ConfigError(
                "Opponents.weighting must return a number that is not negative for each opponent"
            )
        total = weights.sum()
        own = self._settings.self_play if total > 0 else 1.0
        shares = [own, *((1.0 - own) * weights / total if total > 0 else weights)]
        self._table = [SELF, *self._met], np.cumsum(shares).tolist()
