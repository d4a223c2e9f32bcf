"""The collector: fills one storage per interval, and waits for all of it at the sync point."""

from collections.abc import Sequence

import numpy as np

from hts_tf import errors, rollouts
from hts_tf.collecting import data_storage
from hts_tf.collecting.ledger import Place
from hts_tf.collecting.workers import Workers


class Collector:
    """Takes all slots through the same interval.

    Use: when resuming, `restore` before; `start`; then for each interval
    `begin` and `wait`; finally `close`. All from one thread.

    Attributes:
      workers: who do it.
      storages: the data storages; interval i fills storages[i % len(storages)].
    """

    def __init__(self, workers: Workers) -> None:
        """Starts nothing."""
        self.workers = workers
        self.storages = data_storage.each(workers.board.storages)
        self._board = workers.board
        self._num_envs = workers.crew.num_envs
        self._finished = workers.new_buffer(self._num_envs)

    def start(self) -> None:
        """Starts executors and actors, and returns at once."""
        self.workers.start(self._finished.enqueue)

    def begin(self, interval: int) -> None:
        """Has executors and actors begin with an interval, and returns at once.

        Raises:
          WorkerError: an executor or actor has failed since the last interval.
        """
        self._board.next_sync_point()
        self.workers.set_noise(interval)
        with self.workers.failing():
            if interval == 0:  # nothing to answer yet: it is the executors' turn
                self.workers.give_to_executors()
            else:
                self._board.enter_interval(range(self._num_envs), interval)
                self.workers.ask_actors(range(self._num_envs))

    def storage(self, interval: int) -> rollouts.Rollout:
        """Returns the storage that an interval fills."""
        return self.storages[interval % len(self.storages)]

    def cut_short(self, interval: int) -> np.ndarray:
        """Returns where episodes were in an interval, [T, num_envs] bool; see `Board.cut`."""
        return self._board.cut_short[interval % len(self.storages)]

    def wait(self) -> None:
        """Waits until every environment has finished its part of the interval: the sync point.

        Raises:
          WorkerError: an executor or actor failed meanwhile.
        """
        with self.workers.failing():
            self._finished.dequeue_many(self._num_envs)

    def state(self, next_interval: int) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint: all that further intervals depend on.

        The next one starts from the last observations in the storage that was filled last; under
        `hts` that storage is also what the learner reads next.

        Args:
          next_interval: the one that is to begin next.
        """
        storage = rollouts.leaves(self.storage(next_interval - 1))
        return {
            **{f"storage/{name}": array for name, array in storage.items()},
            **{f"ledger/{name}": array for name, array in self._board.ledger.arrays.items()},
        }

    def restore(
        self, state: dict[str, np.ndarray], next_interval: int
    ) -> list[tuple[Place, np.ndarray]]:
        """Goes on from a saved state.

        Returns:
          For each slot, where its running episode stands, and the actions so far [n, P, ...].

        Raises:
          ConfigError: it is of an environment with another spec.
        """
        for name, array in self.state(next_interval).items():
            saved = state.get(name)
            if saved is not None and name == "ledger/record":  # older ones know of no tasks
                saved = np.pad(saved, [(0, 0), (0, 0), (0, array.shape[-1] - saved.shape[-1])])
            if saved is None or saved.size != array.size:
                raise errors.ConfigError(
                    f"the checkpoint in --workdir has another {name}: the environment's spec is "
                    "not what it was; bring that back, or begin in another --workdir"
                )
            array[...] = saved.reshape(array.shape)  # older ones have no axis of players
        ledger = self._board.ledger
        ledger.set_interval(next_interval - 1)
        return [ledger.current(slot) for slot in range(self._num_envs)]

    def close(self) -> None:
        """Stops all workers and gives everything back; may be called twice."""
        self.workers.close()


def joined(states: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns what one collector would say that has the environments of several; see `state`."""
    return {
        name: np.concatenate([state[name] for state in states], axis=_axis_of_envs(name))
        for name in states[0]
    }


def part(state: dict[str, np.ndarray], envs: range) -> dict[str, np.ndarray]:
    """Returns what there is in a state of these environments, of those that it is of."""
    return {
        name: np.take(array, envs, axis=_axis_of_envs(name))
        for name, array in state.items()
        if name.startswith(("storage/", "ledger/"))
    }


def _axis_of_envs(name: str) -> int:
    return 1 if name.startswith("storage/") or name == "ledger/record" else 0
