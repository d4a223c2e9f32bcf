"""Playing an archived episode again, in the real simulator, and comparing how it ends."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hts_tf import errors, specs
from hts_tf.environments import base, checked
from hts_tf.files.archive import Record


class Moment(NamedTuple):
    """What an episode has come to.

    Attributes:
      step: env steps played so far.
      action: the last one, as environments get it; None before the first.
      gained: the score of the last env step; of several players the mean of those who are no
        rivals, as all that follows.
      score: of the episode so far.
      episode_return: of the episode so far.
      ending: "terminated", "time limit", or "" as long as the episode goes on.
    """

    step: int
    action: Any
    gained: float
    score: float
    episode_return: float
    ending: str


class Playback:
    """An episode that is played again; iterate over it, once, for its moments.

    Attributes:
      actions: to be played, [T, ...].
      observation: as things are at the last moment.
      last: the last moment so far; None before the first.
      changes: env steps in which the score has changed so far.
    """

    def __init__(
        self, environment: base.Environment, spec: specs.EnvironmentSpec, record: Record
    ) -> None:
        """Plays nothing yet.

        Args:
          environment: that plays; the caller closes it.
          spec: of the environment.
          record: of the episode.

        Raises:
          ConfigError: the environment has no such actions.
        """
        try:
            nbytes = spec.action.nbytes * spec.num_players
            if record.length and record.action_bytes != nbytes:
                raise errors.ConfigError(f"actions of {record.action_bytes} bytes, not of {nbytes}")
            actions = np.frombuffer(record.actions, spec.action.dtype)
            self.actions = actions.reshape(-1, *spec.players, *spec.action.shape)
            spec.action.check(self.actions)
        except errors.ConfigError as error:
            raise errors.ConfigError(f"the archive is of another run: {error}") from None
        self._environment = checked.Checked(environment, spec)
        self._spec = spec
        self._record = record
        self.observation = spec.new_observation()
        self.last: Moment | None = None
        self.changes: list[int] = []
        # Sums of scores and rewards without signs: large ones that cancel leave what is rounded.
        self._sizes = [0.0, 0.0]

    def __iter__(self) -> Iterator[Moment]:
        """Plays the actions, as long as the episode lasts.

        Raises:
          ProtocolError: the environment broke a rule; the message says in which env step.
        """
        self._environment.reset(self._record.seed, self.observation)
        score = episode_return = 0.0
        self.last = Moment(0, None, 0.0, score, episode_return, "")
        yield self.last
        for step, action in enumerate(map(specs.plain, self.actions), start=1):
            result = self._environment.step(action, self.observation)
            gained = self._spec.mean_of_own(result.score)
            if gained:
                self.changes.append(step)
            score += gained
            reward = self._spec.mean_of_own(result.reward)
            episode_return += reward
            self._sizes = [self._sizes[0] + abs(gained), self._sizes[1] + abs(reward)]
            ending = ""
            if result.is_over:
                ending = "time limit" if result.is_valued else "terminated"
            self.last = Moment(step, action, gained, score, episode_return, ending)
            yield self.last
            if ending:
                return

    def disagreements(self) -> list[str]:
        """Returns in what the replay, all of it played, differs from the archive.

        An episode whose score the archive does not know may go on after its last action.
        """
        record, last = self._record, self.last
        found = []
        if last.step != record.length:
            found.append(f"length {record.length} in the archive, {last.step} in the replay")
        if math.isnan(record.score):
            return found
        if not last.ending:
            found.append("the episode goes on after the archive's last action")
        for name, archived, replayed, size in [
            ("score", record.score, last.score, self._sizes[0]),
            ("return", record.episode_return, last.episode_return, self._sizes[1]),
        ]:
            # An archive has float32, added up from float32.
            if not math.isclose(archived, replayed, rel_tol=1e-5, abs_tol=1e-4 + 1e-7 * size):
                found.append(f"{name} {archived:g} in the archive, {replayed:g} in the replay")
        return found
