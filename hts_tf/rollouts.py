"""Experience: what one env step consists of, and an interval of such steps.

Imported by executor processes: numpy only.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hts_tf import errors, specs, trees

NEXT_TO_NOTHING = 1e-4  # what sums of scores that float32 has rounded come to where they would be 0


class Rollout(NamedTuple):
    """One interval of experience, time-major: T = sync_interval env steps of N environments.

    A leaf is [T, N, P, ...] in storages, where P is the number of players, and [T, B, ...] for
    the learner, which sees B = N * P columns. Where only some fields are needed, the others are
    left empty.

    Attributes:
      observation: T + 1 rows; row T is where the next interval starts. An episode that ends
        at t is followed by the first observation of the next one at t + 1.
      action: T rows.
      policy: T rows, the parameters of the behaviour policy's distribution over actions; a dict,
        whose keys are the action head's.
      value: T + 1 rows, float32, of the observation, by the behaviour agent; row T is the
        bootstrap value.
      reward: T rows, float32.
      score: T rows, float32, what is reported as success.
      terminated: T rows, bool: the episode ended by its rules in step t.
      truncated: T rows, bool: a time limit ended the episode in step t, or it could not go on.
      truncation_value: T rows, float32: where truncated, the behaviour agent's value of the
        episode's own last observation (which is not observation[t + 1]); elsewhere meaningless.
      state: T + 1 rows, what the agent remembers before it sees the observation; all zeros where
        that is the first of an episode. Empty for agents that remember nothing.
      chosen_by: T rows, int32: who chose the action: 0 for the behaviour policy, else the number
        of an opponent (`opponents.roster`). Empty where there are no rivals.
      task: T rows, int32: which task the episode is of. Empty where there is one task only.
      counts: T rows, bool: whether the player was still there in step t, so that there is something
        to learn from it. Empty where there is one player only. A player that has left counts as
        terminated in each step until the episode is over.
      figures: T rows, [F] float32: where an episode ends, what the environment tells of it;
        elsewhere meaningless. Empty where it tells nothing.
    """

    observation: trees.Tree = ()
    action: trees.Tree = ()
    policy: trees.Tree = ()
    value: trees.Tree = ()
    reward: trees.Tree = ()
    score: trees.Tree = ()
    terminated: trees.Tree = ()
    truncated: trees.Tree = ()
    truncation_value: trees.Tree = ()
    state: trees.Tree = ()
    chosen_by: trees.Tree = ()
    task: trees.Tree = ()
    counts: trees.Tree = ()
    figures: trees.Tree = ()


# What one env step of one player consists of: a rollout whose leaves are `specs.ArraySpec`s.
# Storages, the ledger, fingerprints and the learner's signature are laid out by walking it.
StepSpec = Rollout

# Fields with a row more than there are steps: what the next interval starts from.
WITH_LAST_ROW = ("observation", "value", "state")

# What else has a column in a table of fingerprints.
_OTHER_NAMES = {*Rollout._fields, "update", "env_steps", "parameters", "optimizer"}


def step_spec(
    environment: specs.EnvironmentSpec,
    policy: Mapping[str, specs.ArraySpec],
    state: trees.Tree = (),
) -> StepSpec:
    """Returns what a step consists of.

    Args:
      environment: what the environment says.
      policy: of the distribution's parameters.
      state: of what the agent remembers.

    Raises:
      ConfigError: a parameter has a name that is something else's, or none that Python could have.
    """
    for name in policy:
        if name in _OTHER_NAMES or not name.isidentifier():
            raise errors.ConfigError(f"the action head's parameter {name!r} needs another name")
    number, flag = specs.ArraySpec((), "float32"), specs.ArraySpec((), "bool")
    whole, num_figures = specs.ArraySpec((), "int32"), len(environment.figures)
    return StepSpec(
        observation=environment.observation,
        action=environment.action,
        policy=dict(policy),
        value=number,
        reward=number,
        score=number,
        terminated=flag,
        truncated=flag,
        truncation_value=number,
        state=state,
        chosen_by=whole if environment.num_rivals else (),
        task=whole if environment.num_tasks > 1 else (),
        counts=flag if environment.num_players > 1 else (),
        figures=specs.ArraySpec((num_figures,), "float32") if num_figures else (),
    )


def leaves(rollout: Rollout) -> dict[str, Any]:
    """Returns name -> leaf, in the order of `trees.map`.

    Names are those of the fields, 'observation/map' where the field is a dict, and of the policy's
    parameters, which have names of their own.
    """
    return {
        name: leaf
        for field, tree in rollout._asdict().items()
        for name, leaf in trees.named(tree, "" if field == "policy" else field)
    }


def field_of(name: str) -> str:
    """Returns the field of `Rollout` that a leaf of that name is in; see `leaves`."""
    field = name.partition("/")[0]
    return field if field in Rollout._fields else "policy"


def columns(rollout: Rollout) -> Rollout:
    """Returns [T, N, P, ...] as [T, N * P, ...], the same memory."""
    return trees.map(lambda array: array.reshape(len(array), -1, *array.shape[3:]), rollout)


class Answer(NamedTuple):
    """What an agent answers to n observations.

    Attributes:
      action: [n, ...].
      policy: [n, ...], the parameters of the distribution that the actions are from.
      value: [n] float32, of the observations.
      state: [n, ...], what the agent remembers then.
    """

    action: trees.Tree
    policy: trees.Tree
    value: trees.Tree
    state: trees.Tree = ()
