"""Has the newest policy of a run look at an episode, and writes what it makes of it as JSON.

Of each env step: how much the policy thinks that what is seen is worth, and how probable it finds
each action where there is one choice. Of several players the first one's.
"""

import itertools
import json

import numpy as np
from absl import logging

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import specs
from hts_tf.collecting.policy import Policy
from hts_tf.dashboard import chosen
from hts_tf.files import participants, run_flags
from hts_tf.system import child, command, compute
from hts_tf.watching import playback


def judge() -> None:
    """Plays the episode's actions, asks the policy, and writes.

    Raises:
      ConfigError: there is no such episode, or no checkpoint.
    """
    answers = child.answer_channel()
    logging.set_verbosity(logging.ERROR)
    record, environment = chosen.find()
    found = participants.load(run_flags.workdir(), run_flags.MODULES.value, compute.configure)
    spec = environment.spec
    policy = Policy(found.agent, spec.num_players)
    player = environment.make()
    state = policy.initial_state((spec.num_players,))
    noise = np.zeros_like(policy.draw_noise(np.random.default_rng(0), (spec.num_players,)))
    values, probabilities = [], []
    try:
        playing = playback.Playback(player, spec, record)
        seen = spec.by_player(playing.observation)
        for _ in itertools.islice(playing, record.length):  # not what its last action led to
            answer = policy.act(seen, noise, state)
            state = answer.state
            values.append(float(answer.value[0]))
            logits = answer.policy.get("logits")
            if isinstance(spec.action, specs.DiscreteSpec) and logits is not None:
                odds = np.exp(logits[0] - logits[0].max())
                probabilities.append([round(p, 4) for p in (odds / odds.sum()).tolist()])
    finally:
        player.close()
    first = playing.actions.reshape(record.length, -1)[:, 0] if probabilities else np.zeros(0)
    told = {
        "policy": found.name.rpartition("@")[2],
        "values": [round(value, 4) for value in values],
        "probabilities": probabilities,
        "chosen": first.tolist(),
    }
    print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    command.run(judge)
