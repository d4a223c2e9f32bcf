"""What an update and a batch of inference cost the trainer's process when nothing else goes on.

A trainer, set up as by `hts_tf.train`, has one interval collected, so that its storage holds real
observations. Then, while executors and actors wait, it learns from it and answers it again
and again.
"""

import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from hts_tf.benchmarks import children

_UPDATES = 3
_BATCHES = 300
_WARM_UP_BATCHES = 20


def measure(
    scenario: str, bindings: Sequence[str], batch_size: int, gin_files: Sequence[str] = ()
) -> dict[str, float]:
    """Measures in a child process.

    Args:
      scenario: to train on.
      bindings: of gin.
      batch_size: environments answered in one batch of inference.
      gin_files: further ones.

    Returns:
      Seconds of processor time, threads of TensorFlow included: `learning` per env step learnt
      from, `inference` per env step, `compiling` in all: what the first update takes longer.
    """
    with tempfile.TemporaryDirectory() as workdir:
        task = {
            "scenario": scenario,
            "bindings": list(bindings),
            "batch_size": batch_size,
            "gin_files": list(gin_files),
            "workdir": workdir,
        }
        (result,) = children.measure(__name__, [task])
    return result


def _prepare(
    scenario: str, bindings: list[str], batch_size: int, gin_files: list[str], workdir: str
) -> Callable[[], dict[str, float]]:
    import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
    from hts_tf import config, trees
    from hts_tf.build import build
    from hts_tf.settings import Settings
    from hts_tf.system import compute

    config.load(scenario, "hts_ppo", gin_files, bindings)
    compute.configure()
    pipeline = build(Settings(), workdir, seed=0)
    collector, learner = pipeline.collector, pipeline.learner
    policy = collector.workers.policy
    collector.start()
    collector.begin(0)
    collector.wait()
    storage = collector.storages[0]
    start = time.process_time()
    learner.step(storage)
    first_update = time.process_time() - start

    num_players = storage.reward.shape[2]
    rows = batch_size * num_players
    observations = trees.map(lambda x: x.reshape(-1, *x.shape[3:]), storage.observation)
    random = np.random.default_rng(0)
    noise, state = policy.draw_noise(random, (rows,)), policy.initial_state((rows,))
    starts = random.integers(storage.value.size - rows, size=_WARM_UP_BATCHES + _BATCHES)

    def answer(start: int) -> None:
        policy.act(trees.map(lambda x: x[start : start + rows], observations), noise, state)

    def body() -> dict[str, float]:
        learning = time.process_time()
        for _ in range(_UPDATES):
            learner.step(storage)
        learning = time.process_time() - learning
        for start in starts[:_WARM_UP_BATCHES]:
            answer(start)
        inference = time.process_time()
        for start in starts[_WARM_UP_BATCHES:]:
            answer(start)
        inference = time.process_time() - inference
        pipeline.close()
        return {
            "compiling": first_update - learning / _UPDATES,
            "learning": learning / (_UPDATES * storage.reward.size / num_players),
            "inference": inference / (_BATCHES * batch_size),
        }

    return body


if __name__ == "__main__":
    children.serve(_prepare)
