"""Evaluates the policies that a training hands over; started by it, see `EvaluationProcess`.

Standard input has paths of frozen policies, one a line; standard output an `Evaluation` as JSON for
each, and a dot now and then while it plays.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

import numpy as np
from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import config, evaluator, settings  # noqa: F401  gin configurables
from hts_tf.collecting.policy import Policy
from hts_tf.files import checkpoint, run_flags
from hts_tf.files.evaluations import Evaluation
from hts_tf.files.workdir import Workdir
from hts_tf.networks import parameters
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.system import child, command, compute, priority

_EPISODES = flags.DEFINE_integer("episodes", None, "of each policy", required=True)
_SEED = flags.DEFINE_integer("seed", None, "selects the episodes", required=True)

_PARALLEL = 8  # environments at once
_BEAT_SEC = 1.0


class _Pulse:
    """Lets the training hear, now and then, that no environment hangs; called by any thread."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._last = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            if time.monotonic() - self._last > _BEAT_SEC:
                self._last = time.monotonic()
                print(".", file=self._answers, flush=True)


def evaluate() -> None:
    """Evaluates until standard input ends.

    Raises:
      ProtocolError: an environment broke a rule.
    """
    answers = child.answer_channel()
    priority.give_way()
    workdir = Workdir(run_flags.workdir())
    config.load_text(workdir.configuration(), workdir.config, run_flags.MODULES.value)
    compute.configure()
    environment = config.environment()
    agent = ActorCritic(environment.spec, seed=0)
    policy = Policy(agent, _PARALLEL * environment.spec.num_players)
    pulse = _Pulse(answers)
    for line in sys.stdin:
        state = checkpoint.load(Path(line.rstrip("\n")))
        parameters.assign(agent.variables, state)
        played = evaluator.play(
            environment,
            policy,
            _EPISODES.value,
            _SEED.value,
            _PARALLEL,
            on_progress=pulse,
        )
        episodes = [episode.record for episode in played]
        evaluation = Evaluation(
            int(state["run/updates"]),
            int(state["run/env_steps"]),
            len(episodes),
            float(np.mean([episode.score for episode in episodes])),
            float(np.mean([episode.episode_return for episode in episodes])),
            float(np.mean([episode.length for episode in episodes])),
        )
        print(json.dumps(evaluation), file=answers, flush=True)


if __name__ == "__main__":
    command.run(evaluate)
