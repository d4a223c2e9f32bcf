"""Named random streams: every random number of a run is a pure function of (seed, name, counters).

Nothing here keeps state, so a stream can be entered at any place: by a respawned executor, a
resumed run, or a test. Imported by executor processes: numpy only.
"""

import hashlib

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


def episode_seed(seed: int, env: int, episode: int, *, evaluation: bool = False) -> int:
    """Returns the seed of one episode: hash(seed, env, episode), in [0, 2**31).

    Bit 0 tells training (0) from evaluation (1): the two never share an episode.
    """
    return integer(seed, "episode", env, episode, evaluation) & ~1 | evaluation


def is_evaluation(episode_seed: int) -> bool:
    """Returns whether an episode with this seed is one of evaluation."""
    return bool(episode_seed & 1)


def permutations(seed: int, update: int, epochs: int, size: int) -> np.ndarray:
    """Draws the order in which an update visits its batch: [epochs, size] int32; also of none."""
    order = generator(seed, "minibatches", update)
    orders = [order.permutation(size) for _ in range(epochs)]
    return np.array(orders, np.int32).reshape(epochs, size)
