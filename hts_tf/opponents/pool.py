"""The pool: whom episodes meet. It changes only at sync points, by results so far."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, NamedTuple, Protocol

import numpy as np
from annotated_types import Ge, Le

from hts_tf import errors, rollouts, seeding, specs, trees, values
from hts_tf.collecting.policy import Policy
from hts_tf.configurables import configurable
from hts_tf.networks.agent import Agent
from hts_tf.opponents import weightings
from hts_tf.opponents.results import SELF, Results
from hts_tf.opponents.roster import Roster
from hts_tf.opponents.scripted import Scripted, choose

# Before names: of figures. None is another's beginning up to a slash: MLflow has files of them.
WIN_RATE = "opponents/win_rate/"
RATING = "opponents/rating_of/"


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
      frozen: policies of other runs, that stay as they are: WORKDIR for the newest checkpoint's,
        WORKDIR@UPDATES or WORKDIR@best for another one. The run keeps copies from its beginning on.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    self_play: values.Fraction = 0.5
    snapshot_every_updates: values.Count | None = 50
    pool_size: Annotated[int, Ge(1), Le(1000)] = 10
    weighting: weightings.Weighting = weightings.uniform
    scripted: Sequence[Callable[[specs.EnvironmentSpec], Scripted]] = ()
    frozen: Sequence[str] = ()

    def check(self, num_updates: int, policy_lag: int) -> None:
        """Raises: ConfigError: in a run of so many updates, nobody would ever be met."""
        if self.self_play == 1.0 and (self.scripted or self.frozen):
            raise errors.ConfigError(
                "Opponents.self_play = 1.0: nobody of Opponents.scripted or frozen would ever be "
                "met; bind less",
                page="teams.md#opponents",
            )
        every = self.snapshot_every_updates
        # While the last of them are made, nothing is played any more.
        if not (self.scripted or self.frozen or (every and every < num_updates - policy_lag)):
            raise errors.ConfigError(
                f"nobody would join the pool in {num_updates:,} updates: bind a lower "
                "Opponents.snapshot_every_updates, Opponents.scripted or Opponents.frozen",
                page="teams.md#opponents",
            )

    def most_at_once(self, num_updates: int) -> int:
        """Returns how many others' agents are in memory in a run of so many updates.

        At most, but for snapshots that have left the pool and are still met by several episodes.
        """
        every = self.snapshot_every_updates
        taken = min(self.pool_size, num_updates // every) if every else 0
        return len(self.frozen) + taken + 1


class Snapshots(Protocol):
    """Where frozen parameters are kept, by number; see `files.policies.Snapshots`."""

    def has(self, number: int) -> bool:
        """Returns whether there are any of that number."""

    def save(self, number: int, agent: Agent) -> None:
        """Keeps an agent's."""

    def load(self, number: int, agent: Agent) -> None:
        """Gives an agent those of a number."""


class Store(NamedTuple):
    """Where a run has what its opponents are made of.

    Attributes:
      snapshots: of its own policy, by the update that made them.
      frozen: of other runs' policies, by their place in `Opponents.frozen`.
      load: gives an agent the parameters of another run's policy, by its name.
    """

    snapshots: Snapshots
    frozen: Snapshots
    load: Callable[[str, Agent], None]


class _Frozen(NamedTuple):
    agent: Agent
    policy: Policy


class Pool:
    """Opponents, who are called by their numbers (`roster.Roster`)."""

    def __init__(
        self,
        settings: Opponents,
        environment: specs.EnvironmentSpec,
        policy: Policy,
        make_agent: Callable[[], Agent],
        store: Store,
        seed: int,
    ) -> None:
        """Begins with the scripted ones.

        Args:
          settings: of the pool.
          environment: its spec.
          policy: the current one.
          make_agent: makes an agent like the current policy's.
          store: where parameters are kept; touched only from `begin` or `restore` on.
          seed: of the run.
        """
        self._settings = settings
        self._policy = policy
        self._make_agent = make_agent
        self._store = store
        self._seed = seed
        self._action = environment.action
        self._scripted = [make(environment) for make in settings.scripted]
        scripted = [type(opponent).__name__ for opponent in self._scripted]
        self._roster = Roster(scripted, settings.frozen, settings.pool_size)
        self._results = Results(self._roster.lasting)
        self._frozen: dict[int, _Frozen] = {}
        self._spare: list[_Frozen] = []
        self._weights(np.zeros((1, 3)))  # which also tells gin what it is called with
        self._set_table()

    def begin(self) -> None:
        """Takes the policies of other runs, once it is sure that the workdir is this run's.

        Raises:
          ConfigError: one is missing, damaged, or of another network or other spaces.
          OSError: a copy cannot be written; names it.
        """
        for index, name in enumerate(self._settings.frozen):
            if not self._store.frozen.has(index):
                self._spare = self._spare or [self._new()]
                self._store.load(name, self._spare[0].agent)
                self._store.frozen.save(index, self._spare[0].agent)
        self._load(np.zeros(0, np.int32))

    # ---- The actors' questions ------------------------------------------------------------------

    def number(self, env: int, episode: int) -> int:
        """Returns whom an environment's episode meets, if it begins now."""
        numbers, ends = self._table
        return numbers[seeding.choice(ends, self._seed, "opponent", env, episode)]

    def act(
        self, who: np.ndarray, observation: trees.Tree, noise: np.ndarray, state: trees.Tree
    ) -> rollouts.Answer:
        """Answers observations, each by the policy that is to.

        Args:
          who: [n], numbers.
          observation: [n, ...].
          noise: [n, ...].
          state: [n, ...].

        Raises:
          ConfigError: what a scripted one chooses is no action; see `scripted.choose`.
        """
        # All by the current policy first: what others do not say, such as values, is its.
        answer = self._policy.act(observation, noise, state)
        others = np.unique(who[who != SELF]).tolist()
        if not others:
            return answer
        answer = trees.map(np.array, answer)
        for number in others:
            rows = np.flatnonzero(who == number)
            own = trees.map(lambda x, r=rows: x[r], (observation, noise, state))
            if self._roster.is_scripted(number):
                asked = self._scripted[number - 1]
                answer.action[rows] = choose(asked, self._action, *own[:2])
                continue
            found = self._frozen[number].policy.act(*own)
            for array, part in zip(trees.leaves(answer), trees.leaves(found), strict=True):
                array[rows] = part
        return answer

    @property
    def names(self) -> Sequence[str]:
        """Those of all that there ever were, by number."""
        return self._roster.names

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
        self._results.add(results)
        every = self._settings.snapshot_every_updates
        if every and updates and updates % every == 0 and not self._roster.has(updates):
            self._store.snapshots.save(updates, agent)
            self._results.freeze()
            self._roster.join(updates)
        self._load(playing)
        self._set_table()

    def figures(self) -> dict[str, float]:
        """Returns scalars for the log.

        Win rates are against those who can be met, over some hundred of the last episodes.
        Whenever there is a new snapshot, there is its rating, too, and those of the others who can
        be met: Elo points above the opponent of number 1, who stays who it is, by all results of
        the run so far (`ratings.bradley_terry`).
        """
        rates = weightings.win_rates(self._results.outcomes)
        names, met = self._roster.names, self._roster.met
        figures = {f"{WIN_RATE}{names[n]}": float(rates[n]) for n in met}
        ratings = self._results.new_ratings()
        if ratings is not None:
            figures["opponents/rating"] = float(ratings[SELF])
            others = (number for number in met if number < len(ratings))
            figures.update({f"{RATING}{names[n]}": float(ratings[n]) for n in others})
        return {"opponents/pool": float(len(met)), **figures}

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        return {**self._roster.state(), **self._results.state()}

    def restore(self, state: dict[str, np.ndarray], playing: np.ndarray) -> None:
        """Goes on from a saved state; for `playing` see `update`.

        Raises:
          ConfigError: a snapshot is missing, damaged, or of another network.
        """
        self._roster.restore(state)
        self._results.restore(state)
        self._load(playing)
        self._set_table()

    def _load(self, playing: np.ndarray) -> None:
        """Has those in memory who can be met, or are met right now.

        So are those of the table until now: without sync points, actors may be choosing one of it.
        """
        can_be_met = {*self._roster.met, *self._table[0], *np.unique(playing).tolist()} - {SELF}
        needed = {number for number in can_be_met if not self._roster.is_scripted(number)}
        for number in self._frozen.keys() - needed:
            self._spare.append(self._frozen.pop(number))
        for number in sorted(needed - self._frozen.keys()):
            found = self._spare.pop() if self._spare else self._new()
            kept = self._roster.kept(number)
            store = self._store.snapshots if kept.snapshot else self._store.frozen
            store.load(kept.number, found.agent)
            self._frozen[number] = found

    def _new(self) -> _Frozen:
        agent = self._make_agent()
        return _Frozen(agent, Policy(agent, self._policy.max_batch, self._policy.batching))

    def _set_table(self) -> None:
        """Sets whom episodes meet that begin from now on: numbers, and where each one's part ends.

        Replaced as a whole: actors may be looking.
        """
        met = self._roster.met
        weights = self._weights(self._results.outcomes[met]) if met else np.zeros(0)
        total = weights.sum()
        own = self._settings.self_play if total > 0 else 1.0
        shares = [own, *((1.0 - own) * weights / total if total > 0 else weights)]
        self._table = [SELF, *met], seeding.parts(shares)

    def _weights(self, results: np.ndarray) -> np.ndarray:
        """Returns what the settings' weighting does. Raises: ConfigError: it is no weighting."""
        weights = np.asarray(self._settings.weighting(results), np.float64)
        is_weight = np.isfinite(weights) & (weights >= 0)
        if weights.shape != (len(results),) or not is_weight.all():
            raise errors.ConfigError(
                "Opponents.weighting must return a finite number, not negative, for each opponent",
                page="teams.md#opponents",
            )
        return weights
