"""The keeper: what a run keeps in its workdir while it goes on, and takes up again afterwards."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hts_tf import errors, rollouts, seeding, trees
from hts_tf.collecting.deaths import Attempt
from hts_tf.files import archive, crash, fingerprint_log, policies, scope
from hts_tf.files.episodes import EpisodeTracker
from hts_tf.files.evaluations import Evaluations
from hts_tf.files.fingerprint_log import FingerprintLog
from hts_tf.files.fingerprints import digest, fingerprint, of_storage
from hts_tf.files.workdir import Workdir
from hts_tf.learner import Learner
from hts_tf.schedules.schedule import Round
from hts_tf.settings import Settings
from hts_tf.system import terminal, whole
from hts_tf.team import Share, Team

State = dict[str, np.ndarray]


class Keeper:
    """Keeps checkpoints, fingerprints of updates, and finished episodes.

    Attributes:
      episodes: of the run.
      fingerprint_sec: seconds that the last fingerprint took, within the learner's update.
    """

    def __init__(
        self, settings: Settings, workdir: Workdir, seed: int, team: Team, share: Share
    ) -> None:
        """Touches nothing yet.

        Args:
          settings: of the run.
          workdir: where to keep it; of all machines but the first a place for the time being.
          seed: of the run.
          team: of machines.
          share: of this one.
        """
        self._team = team
        self._share = share
        self._settings = settings
        self._workdir = workdir
        self._seed = seed
        self._spec = spec = settings.environment.spec
        self.episodes = EpisodeTracker(
            settings.num_envs, seed, spec.num_rivals, spec.num_tasks, spec.figures
        )
        self._scopes_before: list[dict[str, str]] = []
        self._scope: dict[str, str] = {}
        self.fingerprint_sec = 0.0
        self._archive: archive.Archive | None = None
        self._log: FingerprintLog | None = None
        self._saved_at = 0.0

    def claim(self, configuration: str, now: dict[str, str]) -> State | None:
        """Takes the workdir for this run; returns the newest checkpoint in it.

        Args:
          configuration: operative, see `operative.text`.
          now: the scope of reproducibility.

        Raises:
          ConfigError: the workdir cannot be used.
        """
        if self._workdir.claim(configuration):
            path = self._workdir.path  # what a run that is gone has left is not this one's
            for kind in ("", "start", "frozen"):
                policies.Snapshots(path, kind).clear()
            Evaluations(path).clear()
            fingerprint_log.clear(path)
        state = self._workdir.newest()
        if state and "run/archive_bytes" not in state:
            raise errors.ConfigError(
                f"--workdir={self._workdir.path} holds a model, no run that could go on: to train "
                "on from it, take another --workdir and add "
                f"--gin_bindings=\"Trainer.start_from = '{self._workdir.path}'\"",
                page="models.md#train-on",
            )
        archived = int(state["run/archive_bytes"]) if state else 0
        self._archive = self._workdir.open_archive(archived)
        self._workdir.configure(configuration)
        self._scopes_before, self._scope = scope.of_run(state or {}), now
        return state

    def scopes(self, goes_on: bool = True) -> list[dict[str, str]]:
        """Returns those that the run is made in, the last one last.

        Args:
          goes_on: whether any of it will be in that of this launch.
        """
        if self._scopes_before and not goes_on:
            return self._scopes_before
        before = [one for one in self._scopes_before if scope.differences(one, self._scope)]
        return [*before, self._scope]

    def warn_of_another_scope(self) -> None:
        """Says in what the scope that the run goes on in is not that of the launch before."""
        for before in self._scopes_before[-1:]:
            for name, old, new in scope.differences(before, self._scope):
                terminal.warn(
                    f"this run was saved with {name} {old}, and goes on with {new}: "
                    "results may differ from those of a run never interrupted",
                    page="reproducibility.md#what-a-result-depends-on",
                )

    def disclaim(self) -> None:
        """Gives the workdir back, of a run that cannot begin."""
        self._workdir.disclaim()

    def give_first_parameters(self, learner: Learner) -> None:
        """Has a run begin with another one's policy, if it is to.

        They are kept: should this run be killed before its first checkpoint, it begins with them
        again, even if the other one has trained on.

        Raises:
          ConfigError: that is missing, damaged, or of another network or other spaces.
        """
        name = self._settings.start_from
        if name is None:
            return
        kept = policies.Snapshots(self._workdir.path, "start")
        numbers = kept.numbers()
        found = kept.read(numbers[0]) if numbers else policies.read(name)
        for agent in filter(None, (learner.agent, learner.gradient_agent)):
            found.give(agent)
        if self._settings.start_from_optimizer:
            learner.take_state(found.arrays, found.source)
        if not numbers:
            kept.keep(found)
        terminal.say(f"begins with the policy of {found.updates:,} updates of {name}")

    def snapshots(self, met: Sequence[int]) -> dict[str, bytes]:
        """Returns what opponents are made of, for other machines: path in the workdir -> bytes.

        Args:
          met: updates of the run's own snapshots that can be met; there may be many others.
        """
        own, frozen = (policies.Snapshots(self._workdir.path, kind) for kind in ("", "frozen"))
        paths = [*map(own.path, met), *frozen.paths()]
        return {  # of one that is missing, who restores the pool says so
            str(path.relative_to(self._workdir.path)): path.read_bytes()
            for path in paths
            if path.exists()
        }

    def take_snapshots(self, files: dict[str, bytes]) -> None:
        """Takes what another machine's `snapshots` returned."""
        for name, content in files.items():
            path = self._workdir.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            whole.write(path, content)

    def begin(
        self, learner: Learner, steps_per_update: int, has_history: Sequence[bool] = (False,)
    ) -> None:
        """Begins with the rounds; from now on, the learner's updates get fingerprints.

        With several machines their parameters are compared after each update, with or
        without fingerprints.

        Args:
          learner: of the run.
          steps_per_update: env steps.
          has_history: of the board; what is made again may then come out otherwise.
        """
        self._saved_at = time.monotonic()
        has_log = self._settings.fingerprints and not self._settings.unrepeatable
        if not has_log and self._team.size == 1:
            return
        if has_log and self._team.number == 0:
            arrays = rollouts.leaves(learner.agent.step)
            self._log = FingerprintLog(self._workdir.path, arrays, learner.updates)

        def keep(
            rollout: rollouts.Rollout,
            of_agent: Sequence[np.ndarray],
            of_optimizer: Sequence[np.ndarray],
        ) -> None:
            start = time.perf_counter()
            parameters, optimizer = digest(of_agent), digest(of_optimizer)
            width = len(self._share.envs) // len(self._share.shards)
            parts = [
                of_storage(trees.map(lambda x, i=i: x[:, i : i + width], rollout))
                for i in range(0, len(self._share.envs), width)
                if has_log
            ]
            if self._team.size > 1:
                said = self._team.all_gather((parts, parameters, optimizer))
                self._compare(learner.updates, [[p, o] for _, p, o in said])
                parts = [part for theirs, _, _ in said for part in theirs]
            if self._log:
                taken = fingerprint(parts, parameters, optimizer)
                self._log.append(
                    learner.updates,
                    learner.updates * steps_per_update,
                    taken,
                    is_repeatable=not has_history[0],
                )
            self.fingerprint_sec = time.perf_counter() - start

        learner.after_update = keep

    def _compare(self, updates: int, hashes: Sequence[list[str]]) -> None:
        """Raises: RunError: machines have come to other parameters than the first one."""
        different = [str(number) for number, theirs in enumerate(hashes) if theirs != hashes[0]]
        if different:
            raise errors.RunError(
                f"update {updates:,} has come out otherwise on machine {', '.join(different)} than "
                "on machine 0: they do not compute the same bits, and cannot make one run",
                page="cluster.md#what-has-to-be-the-same-on-all-machines",
            )

    def round_over(
        self, outcome: Round, number: int, cut_short: np.ndarray, opponents: Sequence[str]
    ) -> list[archive.Record]:
        """Takes, and returns, the episodes that ended in a round.

        Args:
          outcome: of the round.
          number: of the round.
          cut_short: see `EpisodeTracker.add`.
          opponents: the names of whom episodes may have met, by number.
        """
        if outcome.collected is None:
            return []
        ended = self.episodes.add(outcome.collected, number, outcome.slots, cut_short)
        ended = [record._replace(against=self._name(record, opponents)) for record in ended]
        if self._settings.archive_episodes and self._team.number == 0:
            self._archive.append(ended)
        return ended

    def _name(self, record: archive.Record, opponents: Sequence[str]) -> str:
        is_met = self._spec.has_rivals(record.task) and record.opponent >= 0
        return opponents[record.opponent] if is_met else ""

    def is_due(self, updates: int) -> bool:
        """Returns whether the settings want a checkpoint after so many updates, or by now."""
        by_time = self._settings.checkpoint_every_sec
        by_updates = self._settings.checkpoint_every_updates
        return (by_time is not None and time.monotonic() - self._saved_at >= by_time) or (
            by_updates is not None and updates > 0 and updates % by_updates == 0
        )

    def save(self, number: int, state: State) -> Path:
        """Saves a checkpoint, which must not remember what is not on the disk.

        Args:
          number: of the round that is next.
          state: of the run.

        Returns:
          The file.
        """
        self._saved_at = time.monotonic()
        if self._log:
            self._log.sync()
        self._archive.sync()
        return self._workdir.save(number, state, keep=self._settings.keep_checkpoints)

    def state(self) -> State:
        """Returns what a checkpoint has of archive, scope and episodes."""
        return {
            "run/archive_bytes": np.array(self._archive.size),
            **{name: np.array(text) for name, text in scope.remembered(self.scopes()).items()},
            **self.episodes.state(),
        }

    def replay_command(self, attempt: Attempt, number: int) -> str:
        """Keeps what an executor died in, if on the first machine; says how to see it die again."""
        seed = seeding.episode_seed(
            self._seed,
            attempt.env,
            attempt.episode,
            task=attempt.task,
            num_tasks=self._settings.environment.spec.num_tasks,
        )
        if self._team.number:  # whose workdir is gone with the run
            return f"that episode (seed {seed}) was on machine {self._team.number}, and is not kept"
        return crash.keep(self._workdir, attempt, seed, number)

    def close(self) -> None:
        """Closes the files; may be called twice."""
        for file in (self._archive, self._log):
            if file is not None:
                file.close()
        self._workdir.close()
