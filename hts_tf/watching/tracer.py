"""The tracer: records a few intervals of a running training."""

from pathlib import Path

from hts_tf import errors
from hts_tf.collecting import actor, executor
from hts_tf.collecting.timesheet import RING
from hts_tf.collecting.workers import Workers
from hts_tf.schedules.schedule import Round, Span
from hts_tf.system import installation, terminal
from hts_tf.watching import trace

# The learner's update is compiled in the second round of `hts`, and in the first of the others.
_WARM_UP_ROUNDS = 2

_ACTIVITIES = {"executor": executor.TIMES, "actor": actor.TIMES}


class Tracer:
    """Watches rounds go by, and writes a trace and its picture once it has seen enough."""

    def __init__(
        self, workdir: Path, workers: Workers, num_rounds: int, has_sync_points: bool
    ) -> None:
        """Records nothing yet.

        Args:
          workdir: where the files go.
          workers: traced ones.
          num_rounds: how many to record, after those of warm-up.
          has_sync_points: whether there is one in each round.
        """
        self._workdir = workdir
        self._workers = workers
        self._num_rounds = num_rounds
        self._has_sync_points = has_sync_points
        self._rounds: list[Round] = []
        self._is_finished = False

    def round_over(self, outcome: Round) -> None:
        """Takes note of a round, and writes the files when it was the last one needed.

        That is one more than is recorded: a worker notes a wait only when it is over.
        """
        if self._is_finished:
            return
        self._rounds.append(outcome._replace(collected=None))  # which would take memory
        if len(self._rounds) > _WARM_UP_ROUNDS + self._num_rounds:
            self.finish()

    def finish(self) -> None:
        """Writes what there is, unless that has been done."""
        if self._is_finished:
            return
        self._is_finished = True
        rounds = self._rounds[_WARM_UP_ROUNDS : _WARM_UP_ROUNDS + self._num_rounds]
        if not rounds:
            terminal.say(f"no trace: the run was over after its {len(self._rounds)} rounds")
            return
        found = self._trace(self._rounds[_WARM_UP_ROUNDS - 1], rounds)
        path = self._workdir / trace.FILE_NAME
        picture = path.with_suffix(".png")
        try:
            trace.write(found, path)
        except OSError as error:
            terminal.warn(f"the trace was not written: {error}")
            return
        try:
            # Only here: it takes half a second to import, and is an extra of the package.
            with installation.needing("plot", "the trace's picture"):
                from hts_tf.watching import timeline

            timeline.draw(found, picture)
        except (OSError, errors.ConfigError) as error:
            terminal.warn(f"{path} is written, its picture is not: {error}")
            return
        terminal.say(f"{len(rounds)} intervals traced: {path}, {picture}")

    def _trace(self, before: Round, rounds: list[Round]) -> trace.Trace:
        window = Span(before.end, rounds[-1].end)

        def event(
            activity: str, begin: float, end: float, number: int | None = None
        ) -> trace.Event:
            begin, end = max(begin, window.begin), min(end, window.end)
            return trace.Event(activity, begin - window.begin, end - window.begin, number)

        stretches_of = self._workers.stretches(window.begin)
        of_workers = (one for of_role in stretches_of.values() for one in of_role)
        # Of a full ring, what was written while it was read is missing, too.
        if any(len(one) > RING // 2 and one[0].begin > window.begin for one in of_workers):
            terminal.warn(
                f"the beginning of the trace is missing: of a worker, {RING:,} stretches are kept; "
                "give fewer --trace_intervals"
            )
        workers = {
            f"{role} {index}": [
                event(
                    _ACTIVITIES[role][s.activity],
                    s.begin,
                    s.end,
                    None if s.number < 0 else s.number,
                )
                for s in stretches
                if s.begin < window.end
            ]
            for role, workers in stretches_of.items()
            for index, stretches in enumerate(workers)
        }
        learner = [
            event(activity, *span)
            for round_ in rounds
            for span, activity in sorted(
                [(round_.learning, "update"), (round_.waiting, "wait_rollout")]
            )
        ]
        sync_points = [before, *rounds] if self._has_sync_points else []
        return trace.Trace(
            {**workers, "learner": learner},
            [r.waiting.end - window.begin for r in sync_points if r.waiting.end >= window.begin],
            window.sec,
        )
