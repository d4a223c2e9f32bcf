"""Named random streams: every random number of a run is a pure function of (seed, name, counters).

Nothing here keeps state, so a stream can be entered at any place: by a respawned executor, a
resumed run, or a test. Imported by executor processes: numpy only.
"""

import bisect
import hashlib
from collections.abc import Sequence

import numpy as np

_MAX_EPISODE_SEED = 2**31


def _digest(seed: int, stream: str, counters: tuple[int, ...]) -> bytes:
    text = ":".join([stream, str(seed), *map(str, counters)])
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def generator(seed: int, stream: str, *counters: int) -> np.random.Generator:
    """Returns the counter-based generator of one stream at one place.

    Args:
      seed: of the run.
      stream: what the numbers are for; different names are independent.
      *counters: the place in the stream, for example the interval.
    """
    key = int.from_bytes(_digest(seed, stream, counters), "little")
    return np.random.Generator(np.random.Philox(key=key))


def integer(seed: int, stream: str, *counters: int) -> int:
    """Returns one integer in [0, 2**31) of a stream, for libraries that take a seed."""
    return int.from_bytes(_digest(seed, stream, counters)[:4], "little") % _MAX_EPISODE_SEED


def episode_seed(
    seed: int,
    env: int,
    episode: int,
    *,
    evaluation: bool = False,
    task: int = 0,
    num_tasks: int = 1,
) -> int:
    """Returns the seed of one episode: hash(seed, env, episode), in [0, 2**31).

    Bit 0 tells training (0) from evaluation (1): the two never share an episode. The other bits
    tell which task it is of, see `task_of`.
    """
    number = integer(seed, "episode", env, episode, evaluation) >> 1
    number += task - number % num_tasks
    if number >= _MAX_EPISODE_SEED // 2:
        number -= num_tasks
    return number << 1 | evaluation


def evaluation_seed(seed: int, number: int, num_tasks: int) -> int:
    """Returns the seed of an evaluation's episode of this number; tasks take turns."""
    number = int(number)  # numpy's would make the seed one of numpy's, which Gymnasium refuses
    return episode_seed(
        seed, 0, number, evaluation=True, task=number % num_tasks, num_tasks=num_tasks
    )


def evaluation_noise(seed: int, number: int) -> np.random.Generator:
    """Returns where the noise of an evaluation's episode comes from.

    Args:
      seed: of the evaluation.
      number: of the episode.
    """
    return generator(seed, "evaluation noise", number)


def task_of(episode_seed: int, num_tasks: int) -> int:
    """Returns which task an episode with this seed is of, 0 to num_tasks - 1."""
    return (episode_seed >> 1) % num_tasks


def is_evaluation(episode_seed: int) -> bool:
    """Returns whether an episode with this seed is one of evaluation."""
    return bool(episode_seed & 1)


def parts(shares: Sequence[float] | np.ndarray) -> list[float]:
    """Returns where each one's part of [0, 1) ends, for `choice`.

    Args:
      shares: not negative, and not all 0.
    """
    ends = np.cumsum(np.asarray(shares, np.float64))
    last = np.flatnonzero(shares)[-1]
    ends /= ends[-1]
    ends[last:] = 1.0
    return ends.tolist()


def choice(ends: Sequence[float], seed: int, stream: str, *counters: int) -> int:
    """Returns the number of the part that a random number of a stream falls into."""
    return bisect.bisect_right(ends, generator(seed, stream, *counters).random())


def permutations(seed: int, update: int, epochs: int, size: int, shard: int = 0) -> np.ndarray:
    """Draws the order in which an update visits a shard: [epochs, size] int32; also of none."""
    order = generator(seed, "minibatches", update, *of_shard(shard))
    orders = [order.permutation(size) for _ in range(epochs)]
    return np.array(orders, np.int32).reshape(epochs, size)


def of_shard(shard: int) -> tuple[int, ...]:
    """Returns the counters that tell a shard's stream from those of others.

    The first has none, as a batch that is not divided.
    """
    return (shard,) if shard else ()
