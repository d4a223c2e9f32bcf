"""The board, the slot protocol in one place: whose turn it is, and what a turn writes.

Executors and actors take turns in every slot. It is the executor's turn where the slot has been
answered since it last moved, else the actors'. So a ticket only says: look there; one too many is
ignored, and one that was lost can be replaced without knowing whether it was.

A successor of a dead executor may assume only what is here: a move is all or nothing (see
`Ledger.move`), and all that was written to the storage before it is written again, to the same
bits. Imported by executor processes: numpy only.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hts_tf import rollouts, seeding, specs, trees
from hts_tf.collecting import data_storage, ledger, shared_memory
from hts_tf.collecting.ledger import Place
from hts_tf.environments import base
from hts_tf.system import terminal


def fields(
    step: rollouts.StepSpec,
    environment: specs.EnvironmentSpec,
    sync_interval: int,
    num_envs: int,
    num_storages: int,
) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the arrays, all in shared memory.

    storage/...: see `data_storage.fields`.
    ledger/...: see `ledger.fields`.
    board/sync_point: how many sync points there have been: tells one wait from another.
    board/answered: [num_envs], the ledger's version at which each slot was last answered.
    board/cut_short: [num_storages, T, num_envs], see `Board.cut`.
    board/has_history: whether an environment is known not to be free of history.
    board/task_ends: [num_tasks], see `Board.task_ends`.
    board/first_env: the number of the environment in slot 0.
    """
    players = environment.num_players
    return shared_memory.grouped(
        storage=data_storage.fields(step, sync_interval, num_envs, num_storages, players),
        ledger=ledger.fields(
            num_envs,
            environment.max_episode_steps,
            step.action,
            players,
            has_rivals=not trees.is_left_out(step.chosen_by),
        ),
        board={
            "sync_point": ((1,), "int64"),
            "answered": ((num_envs,), "int64"),
            "cut_short": ((num_storages, sync_interval, num_envs), "bool"),
            "has_history": ((1,), "bool"),
            "task_ends": ((environment.num_tasks,), "float64"),
            "first_env": ((1,), "int64"),
        },
    )


class Questions(NamedTuple):
    """What actors are asked in n slots.

    Attributes:
      slots: [n].
      storage: [n], the storage that each is written to.
      step: [n], the row of the observation.
      is_last: [n] bool, whether it is the last of a truncated episode, to be valued only.
      is_first: [n] bool, whether it is the first of an episode.
      observation: [n * P, ...].
      state: [n * P, ...], what the agent remembers; zeros where an episode begins.
    """

    slots: np.ndarray
    storage: np.ndarray
    step: np.ndarray
    is_last: np.ndarray
    is_first: np.ndarray
    observation: trees.Tree
    state: trees.Tree


class Board:
    """What all workers share of the slots.

    A slot is written to by one worker at a time: its executor, an actor that holds its ticket, or,
    while nobody has its turn, the trainer.

    Attributes:
      storages: all data storages, [K, T, N, P, ...].
      ledger: of the episodes being played.
      sync_interval: T.
      num_players: P.
      environment: the spec of each.
      met: [num_envs] int32, see `ledger.fields`; None where there are no rivals.
      answered: [num_envs], see `fields`.
      cut_short: [K, T, num_envs] bool, where a running episode was cut short before a step.
      has_history: [1] bool, see `fields`.
      first_env: [1] int64, see `fields`.
      task_ends: [num_tasks], see `seeding.parts`: how often episodes that begin are of each task.
        It changes only at sync points, or, of schedules without, between updates.
    """

    def __init__(
        self,
        arrays: shared_memory.SharedArrays,
        step: rollouts.StepSpec,
        environment: specs.EnvironmentSpec,
    ) -> None:
        """Goes on with what is there, or was `cleared`."""
        self.storages = data_storage.read(arrays, step)
        self.ledger = ledger.Ledger(arrays.group("ledger"))
        own = arrays.group("board")
        self.answered = own["answered"]
        self.cut_short = own["cut_short"]
        self.has_history = own["has_history"]
        self.first_env = own["first_env"]
        self.sync_interval = self.storages.action.shape[1]
        self._num_storages = len(self.storages.action)
        self._answered = self.answered.data
        self._sync_point = own["sync_point"].data
        self.num_players = self.storages.action.shape[3]
        self.environment = environment
        self.task_ends = own["task_ends"]
        self.met = self.ledger.arrays.get("met")
        played = trees.map(lambda array: shared_memory.played(array, axis=3), self.storages)
        self._observation_at = _views(self.storages.observation, self.num_players)
        self._action = played.action
        self._reward = played.reward
        self._score = played.score
        self._terminated = played.terminated
        self._truncated = played.truncated
        self._has_figures = bool(environment.figures)
        self._has_tasks = environment.num_tasks > 1

    def clear(self) -> None:
        """Sets every slot before its first episode, with nobody's turn yet."""
        self.ledger.clear()
        self.answered.fill(-1)
        self.set_task_shares(np.ones(len(self.task_ends)))

    def set_task_shares(self, shares: np.ndarray) -> None:
        """Says how often episodes that begin from now on are of each task; at sync points only."""
        self.task_ends[:] = seeding.parts(shares)

    def env(self, slot: int) -> int:
        """Returns the number that a slot's environment has among those of all machines."""
        return int(self.first_env[0]) + slot

    def sync_points(self) -> int:
        """Returns how many sync points there have been."""
        return self._sync_point[0]

    # ---- The executors' turn --------------------------------------------------------------------

    def on_executors_turn(self, slots: Iterable[int]) -> list[int]:
        """Returns those slots, each once, that have been answered since they last moved."""
        answered, moves = self._answered, self.ledger.moves
        return [slot for slot in dict.fromkeys(slots) if answered[slot] == moves[slot]]

    def observation(self, slot: int, place: Place) -> trees.Tree:
        """Returns where a slot's observation lies, or is to be written."""
        return self._observation_at(place.interval % self._num_storages, place.step, slot)

    def begin_step(self, slot: int, place: Place) -> tuple[Any, trees.Tree]:
        """Notes the action to play in the ledger.

        Args:
          slot: whose turn it is.
          place: where it stands.

        Returns:
          The action, and where to write the observation after it.
        """
        k, step = place.interval % self._num_storages, place.step
        action = self._action[k, step, slot]
        if place.length < self.environment.max_episode_steps:  # else `Checked` says so, in `step`
            self.ledger.write_action(slot, place.length, action)
        return action, self._observation_at(k, step + 1, slot)

    def end_step(self, slot: int, place: Place, result: base.StepResult) -> Place:
        """Writes what the step brought, and returns the place after it, to be moved to.

        Args:
          slot: as in `begin_step`.
          place: the same as there.
          result: of the env step; its observation has been written.
        """
        k, step = place.interval % self._num_storages, place.step
        self._reward[k, step, slot] = result.reward
        self._score[k, step, slot] = result.score
        self._terminated[k, step, slot] = result.terminated
        self._truncated[k, step, slot] = result.truncated
        if self.num_players > 1:
            self.storages.counts[k, step, slot] = self._who_is_there(slot, place)
        if self._has_figures:
            self.storages.figures[k, step, slot] = result.figures if result.is_over else 0.0
        if self._has_tasks:
            self.storages.task[k, step, slot] = place.task
        return Place(
            place.episode,
            place.length + 1,
            step + 1,
            result.is_valued,
            place.task,
            place.interval,
        )

    def _who_is_there(self, slot: int, place: Place) -> np.ndarray | bool:
        """Returns who had not left before a step, [P] bool: who has stays terminated."""
        if not place.length:
            return self.environment.takes_part(place.task)
        interval, step = place.interval, place.step - 1
        if step < 0:
            interval, step = interval - 1, self.sync_interval - 1
        before = interval % self._num_storages, step, slot
        return ~(self.storages.terminated[before] | self.storages.truncated[before])

    def take_note_of_history(self, slots: Iterable[int], what: str) -> None:
        """Takes note that environments do not keep to their seeds; a line says so, once.

        From then on nobody in this run tries to bring an episode back, so that whoever takes the
        place of an executor does the same.

        Args:
          slots: of the environments.
          what: the same actions have led to.
        """
        if self.has_history[0]:
            return
        self.has_history[0] = True
        terminal.warn(
            f"environment {', '.join(str(self.env(slot)) for slot in sorted(slots))} does not keep "
            f"to its seed: the same actions led its episode to {what}; episodes of executors that "
            "die end as truncated, and results will not repeat",
            page="your_own_environment.md#what-it-may-not-do",
        )

    def cut(self, slot: int, place: Place) -> None:
        """Ends a slot's episode before its next step, as truncated, where it has come to.

        Its last observation is the one there, which has just been valued. At an interval's
        beginning there is no step to mark: the interval before has ended with that value, which is
        what a truncation comes to.

        Args:
          slot: whose turn it is.
          place: where it stands, at least one step into the episode.
        """
        k, step = place.interval % self._num_storages, place.step
        self.cut_short[k, step, slot] = True
        if step:
            storages, last = self.storages, (k, step - 1, slot)
            storages.truncation_value[last] = storages.value[k, step, slot]
            storages.truncated[last] = ~storages.terminated[last]

    # ---- The actors' turn -----------------------------------------------------------------------

    def questions(self, slots: np.ndarray) -> Questions:
        """Returns what is asked in some slots, all of them on the actors' turn."""
        place = self.ledger.places(slots)
        k = place.interval % self._num_storages
        storages = self.storages
        first = place.length == 0
        if storages.state:  # the learner, too, starts from there
            for array in trees.leaves(storages.state):
                array[k[first], place.step[first], slots[first]] = 0.0
        observation, state = trees.map(
            lambda a: in_rows(a[k, place.step, slots]), (storages.observation, storages.state)
        )
        return Questions(slots, k, place.step, place.episode_over, first, observation, state)

    def answer(
        self, asked: Questions, answer: rollouts.Answer, chosen_by: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Writes the answers, [n * P, ...], each in one of three ways.

        An ordinary observation gets an action, and it is the executor's turn; only then what the
        agent remembers goes on with the step, so that it has seen each observation once. The last
        one of a truncated episode gets a value only, which belongs to the step before, and it is
        the executor's turn, too. The one at the interval's end gets a value only, and the slot has
        finished: nobody's turn until the trainer begins its next interval.

        Args:
          asked: what was.
          answer: to all of it.
          chosen_by: [n * P], see `Rollout`; where there are rivals.

        Returns:
          The slots in which it is the executors' turn now, and those that have finished.
        """
        slots, k, step, is_last = asked[:4]
        storages = self.storages
        answer = trees.map(
            lambda rows: rows.reshape(len(slots), self.num_players, *rows.shape[1:]), answer
        )
        if self.num_players > 1:
            self._value_those_cut_off(asked, answer.value)
        finished = (step == self.sync_interval) & ~is_last
        rows = slice(None)
        if (is_last | finished).any():  # seldom; masks take half of the time
            before = k[is_last], step[is_last] - 1, slots[is_last]
            storages.truncation_value[before] = answer.value[is_last]
            storages.value[k[finished], step[finished], slots[finished]] = answer.value[finished]
            rows = ~(is_last | finished)
        here = k[rows], step[rows], slots[rows]
        storages.value[here] = answer.value[rows]
        storages.action[here] = answer.action[rows]
        for name, array in storages.policy.items():
            array[here] = answer.policy[name][rows]
        if chosen_by is not None:
            storages.chosen_by[here] = chosen_by.reshape(len(slots), -1)[rows]
        if storages.state:
            after = here[0], here[1] + 1, here[2]

            def remember(array: np.ndarray, state: np.ndarray) -> None:
                array[after] = state[rows]

            trees.map(remember, storages.state, answer.state)  # by name, in any order
        answered = slots[~finished]
        self.give_to_executors(answered)
        return answered, slots[finished]

    def _value_those_cut_off(self, asked: Questions, value: np.ndarray) -> None:
        """Writes the values, [n, P], of players whose last observation this is, and not others'.

        A player that was truncated, while its episode goes on, has it in the next row, as if it
        went on itself.
        """
        slots, k, step, is_last = asked[:4]
        goes_on = (step > 0) & ~is_last & ~asked.is_first
        before = k[goes_on], step[goes_on] - 1, slots[goes_on]
        cut_off, values = self.storages.truncated[before], self.storages.truncation_value
        values[before] = np.where(cut_off, value[goes_on], values[before])

    # ---- Between intervals ----------------------------------------------------------------------

    def give_to_executors(self, slots: Sequence[int] | np.ndarray | slice = slice(None)) -> None:
        """Says that it is the executors' turn in some slots, or in all of them."""
        self.answered[slots] = self.ledger.version[slots]

    def next_sync_point(self) -> None:
        """Counts a sync point."""
        self._sync_point[0] += 1

    def enter_interval(self, slots: Sequence[int], interval: int) -> None:
        """Takes slots that have finished an interval to step 0 of the next: the actors' turn.

        The last observation of the one is the first of the other, and so is what the agent
        remembers. The move is last: from there on, a ticket that a dead executor has left is worth
        as much as any other.
        """
        before, now = (number % self._num_storages for number in (interval - 1, interval))
        for array in trees.leaves((self.storages.observation, self.storages.state)):
            array[now, 0, slots] = array[before, -1, slots]
        self.cut_short[now, :, slots] = False
        for slot in slots:
            self.ledger.move(slot, self.ledger.place(slot)._replace(step=0, interval=interval))


def in_rows(array: np.ndarray) -> np.ndarray:
    """Returns [n, P, ...] as [n * P, ...]."""
    return array.reshape(-1, *array.shape[2:])


def _views(arrays: trees.Tree, num_players: int) -> Callable[[int, int, int], trees.Tree]:
    """Returns a function (k, step, slot) -> what lies there, as environments have it."""
    if num_players == 1:
        arrays = trees.map(lambda array: array[:, :, :, 0], arrays)
    if isinstance(arrays, np.ndarray):  # without the walk: it is called in every env step
        return lambda k, step, slot: arrays[k, step, slot, ...]
    if isinstance(arrays, dict) and all(isinstance(a, np.ndarray) for a in arrays.values()):
        items = [*arrays.items()]
        return lambda k, step, slot: {name: array[k, step, slot, ...] for name, array in items}
    return lambda k, step, slot: trees.map(lambda x: x[k, step, slot, ...], arrays)
