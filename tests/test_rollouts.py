import dataclasses
import itertools

import numpy as np
import pytest

from hts_tf import errors, rollouts, specs

MAP = specs.PixelMapSpec(shape=(2, 3), dtype="uint16", height=4, width=5, planes=(0, 0, 1))
PLAIN = specs.EnvironmentSpec(
    observation=specs.ArraySpec((4,), "float32"),
    action=specs.DiscreteSpec(num_values=3),
    max_episode_steps=10,
)
DICT = dataclasses.replace(
    PLAIN,
    observation={"map": MAP, "facts": specs.ArraySpec((4,), "float32")},
    action=specs.ArraySpec((2,), "float32"),
)
MEAN, DEVIATION = specs.ArraySpec((2,), "float32"), specs.ArraySpec((1,), "float32")


def test_leaves_of_a_step():
    step = rollouts.step_spec(PLAIN, {"logits": specs.ArraySpec((3,), "float32")})
    assert [(name, leaf.shape, leaf.dtype) for name, leaf in rollouts.leaves(step).items()] == [
        ("observation", (4,), "float32"),
        ("action", (), "uint8"),
        ("logits", (3,), "float32"),
        ("value", (), "float32"),
        ("reward", (), "float32"),
        ("score", (), "float32"),
        ("terminated", (), "bool"),
        ("truncated", (), "bool"),
        ("truncation_value", (), "float32"),
    ]


def test_leaves_of_a_step_of_dicts():
    step = rollouts.step_spec(DICT, {"mean": MEAN, "deviation": DEVIATION})
    leaves = rollouts.leaves(step)
    assert list(leaves)[:5] == [
        "observation/map",
        "observation/facts",
        "action",
        "mean",
        "deviation",
    ]
    assert leaves["observation/map"] == MAP
    assert leaves["deviation"] == DEVIATION


@pytest.mark.parametrize(
    "name", [*rollouts.Rollout._fields, "parameters", "optimizer", "update", "value/x", "a,b", ""]
)
def test_a_parameter_of_the_policy_has_a_name_of_its_own(name):
    with pytest.raises(errors.ConfigError, match=f"parameter '{name}' needs another name"):
        rollouts.step_spec(PLAIN, {"mean": MEAN, name: DEVIATION})


def test_field_of_a_leaf():
    step = rollouts.step_spec(DICT, {"mean": MEAN, "deviation": DEVIATION})
    fields = list(dict.fromkeys(map(rollouts.field_of, rollouts.leaves(step))))
    assert fields == [
        name
        for name in rollouts.Rollout._fields
        if name not in ("state", "chosen_by", "task", "counts", "figures")
    ]
    several = dataclasses.replace(
        DICT, num_players=3, num_rivals=1, rivals_of_tasks=(1, 0), figures=("a",)
    )
    step = rollouts.step_spec(several, {"mean": MEAN}, {"h": MEAN})
    fields = list(dict.fromkeys(map(rollouts.field_of, rollouts.leaves(step))))
    assert fields == list(rollouts.Rollout._fields)
    assert rollouts.field_of("observation/map") == rollouts.field_of("observation") == "observation"
    assert rollouts.field_of("mean") == "policy"


def test_columns_are_environments_and_their_players():
    rollout = rollouts.Rollout(
        observation={"map": np.arange(240).reshape(5, 3, 2, 4, 2)},
        reward=np.arange(24).reshape(4, 3, 2),
    )
    columns = rollouts.columns(rollout)
    assert columns.observation["map"].shape == (5, 6, 4, 2)
    assert columns.reward.shape == (4, 6)
    for env, player in itertools.product(range(3), range(2)):
        column = 2 * env + player
        assert (columns.reward[:, column] == rollout.reward[:, env, player]).all()
        image = rollout.observation["map"][:, env, player]
        assert (columns.observation["map"][:, column] == image).all()
    columns.reward[0, 0] = 99
    assert rollout.reward[0, 0, 0] == 99
