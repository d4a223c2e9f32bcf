"""Command line: lets a person play, alone or against a policy.

.venv/bin/python -m hts_tf.play --scenario=academy_3_vs_1_with_keeper
.venv/bin/python -m hts_tf.play --against=runs/self-play
"""

from collections.abc import Callable

import numpy as np
from absl import flags

from hts_tf import config, errors, seeding, trees
from hts_tf.environments import base, two_sided
from hts_tf.files import modules_flag
from hts_tf.system import command
from hts_tf.watching import stages
from hts_tf.watching.game import Game, Others

_SCENARIO = flags.DEFINE_string(
    "scenario", "academy_empty_goal_close", "scenario to play, as hts_tf.train takes it"
)
_AGAINST = flags.DEFINE_string(
    "against",
    None,
    "policy that plays all but your player, on what it was trained on: WORKDIR, WORKDIR@UPDATES, "
    "WORKDIR@best or a model's name",
)
_GIN_FILES = flags.DEFINE_multi_string("gin_files", [], "further gin files")
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further gin bindings")
_SEED = flags.DEFINE_integer("seed", 0, "random seed that selects the episodes", lower_bound=0)
_STAGE = flags.DEFINE_enum(
    "stage",
    "auto",
    ["auto", "window", "terminal"],
    "where to play; auto: in a window if there is a display",
)
_FPS = flags.DEFINE_float(
    "fps", None, "env steps per second; default: the game's own", lower_bound=0.1
)


def _opponent(name: str) -> tuple[base.EnvironmentConfig, Others]:
    """Returns what a policy plays, with two sides where there can be, and the policy.

    Raises:
      ConfigError: there is no such policy.
    """
    import hts_tf.system.quiet_tensorflow  # noqa: F401  only who plays against a policy needs it
    from hts_tf.collecting.policy import Policy
    from hts_tf.files import participants
    from hts_tf.system import compute

    found = participants.load(name, modules_flag.MODULES.value, compute.configure)
    environment = found.environment
    if environment.spec.num_players == 1:
        environment = two_sided.two_sided(environment)
    players = environment.spec.num_players
    policy = Policy(found.agent, players)

    def begin(seed: int) -> Callable[[trees.Tree], np.ndarray]:
        random = seeding.generator(seed, "opponent's noise")
        state = policy.initial_state((players,))

        def act(seen: trees.Tree) -> np.ndarray:
            nonlocal state
            answer = policy.act(seen, policy.draw_noise(random, (players,)), state)
            state = answer.state
            return np.array(answer.action)

        return act

    return environment, begin


def play() -> None:
    """Plays episodes until the person leaves.

    Raises:
      ConfigError: a flag cannot be used, or there is nothing to see or to play.
    """
    others = None
    if _AGAINST.value:
        for flag in (_SCENARIO, _GIN_FILES, _GIN_BINDINGS):
            if flag.present:
                raise errors.ConfigError(
                    f"--{flag.name} does not go with --against, which plays what it was trained on"
                )
        environment, others = _opponent(_AGAINST.value)
    else:
        environment = config.environment_for(_SCENARIO.value, _GIN_FILES.value, _GIN_BINDINGS.value)
    game = Game(environment, others)
    outcomes = []
    try:
        with stages.choose(_STAGE.value)() as stage:
            while True:
                seed = seeding.evaluation_seed(
                    _SEED.value, len(outcomes), environment.spec.num_tasks
                )
                outcome = game.play(seed, stage, _FPS.value or game.fps)
                if outcome is not None:
                    outcomes.append(outcome)
                if game.has_left:
                    break
    finally:
        game.close()
    for number, outcome in enumerate(outcomes):
        print(f"episode {number}: {outcome}")


if __name__ == "__main__":
    command.run(play)
