"""Command line: makes a model of a policy: a small workdir, with how it plays.

  .venv/bin/python -m hts_tf.publish --policy=runs/a@best --output=models/academy_corner

It holds the run's `config.gin`, the policy's parameters, and the episodes of an evaluation:
`episodes.csv`, `episodes.bin`, and of those with pictures the best one as `best.gif`. Whatever
takes a workdir takes it.
"""

from pathlib import Path

import numpy as np
from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import confidence, config, errors, evaluator, operative, run_scope
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base
from hts_tf.files import archive, modules_flag, participants, policies, scope
from hts_tf.files.workdir import Workdir
from hts_tf.networks import parameters
from hts_tf.system import child, command, compute, outputs, terminal, whole

_POLICY = flags.DEFINE_string(
    "policy", None, "policy to publish: WORKDIR, WORKDIR@UPDATES or WORKDIR@best", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "directory to write the model to", required=True)
_EPISODES = flags.DEFINE_integer(
    "episodes", 1000, "number of episodes of the evaluation", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "random seed that selects the episodes", lower_bound=0)


def publish() -> None:
    """Makes the model; its directory appears when all of it is there, and nothing else stays.

    Raises:
      ConfigError: there is no such policy, it cannot be evaluated, or the directory is there.
      ChildError: evaluation or video failed.
    """
    output = outputs.new(_OUTPUT.value)
    run = policies.workdir(_POLICY.value)
    participant = participants.load(_POLICY.value, modules_flag.MODULES.value, compute.configure)
    with whole.directory(output, "--output") as partial:
        _write(partial, participant, run)
    played = confidence.described(archive.read(output / archive.FILE_NAME))
    terminal.say(
        f"{output}: {participant.parameters.updates:,} updates, {played}, "
        f"parameters {participant.agent.parameters_hash()}"
    )


def _write(directory: Path, participant: participants.Participant, run: Workdir) -> None:
    # Who plays a model needs nothing of those who watched how it was made.
    configuration = operative.without_observers(run.configuration())
    state = _state(participant, configuration)
    with whole.refusing("--output"):
        directory.mkdir(parents=True)
        whole.write(directory / run.config.name, configuration.encode())
        Workdir(directory).save(participant.parameters.updates, state, keep=1)
    table = directory / Path(archive.FILE_NAME).with_suffix(".csv")
    number = f"--episodes={_EPISODES.value}", f"--seed={_SEED.value}"
    _run("hts_tf.evaluate", directory, *number, "--novideo", f"--output={table}")
    if isinstance(participant.environment, base.Watchable):
        try:
            _run("hts_tf.replay", directory, "--best", f"--output={directory / 'best.gif'}")
        except child.ChildError as error:
            # It may make no pictures; with a history it may not play as it did.
            is_there = (directory / "best.gif").exists()
            if error.code != errors.ConfigError.code and not is_there:
                raise
            terminal.warn(f"{'of' if is_there else 'no'} best.gif: {error}")


def _state(participant: participants.Participant, configuration: str) -> dict[str, np.ndarray]:
    """Returns what a model's checkpoint holds: not what a training could go on from.

    Its scope is that of the episodes that come with it, which are played here.
    """
    _, environment, agent, found = participant
    state = {**parameters.frozen(agent), "run/updates": np.array(found.updates)}
    if found.env_steps is not None:
        state["run/env_steps"] = np.array(found.env_steps)
    policy = Policy(agent, evaluator.PARALLEL * environment.spec.num_players)
    played_in = run_scope.describe(run_scope.played(configuration), policy)
    return state | {name: np.array(text) for name, text in scope.remembered([played_in]).items()}


def _run(module: str, workdir: Path, *arguments: str) -> None:
    modules = config.modules_flags(modules_flag.MODULES.value)
    child.run(module, [f"--workdir={workdir}", *arguments, *modules])


if __name__ == "__main__":
    command.run(publish)
