import gin
import numpy as np
import pytest

from hts_tf import errors, specs
from hts_tf.environments.football import super_mini_map
from hts_tf.networks import actor_critic, choice, cores  # noqa: F401  gin configurables
from hts_tf.networks.bernoulli import Bernoulli
from hts_tf.networks.by_entry import by_entry
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.gaussian import Gaussian
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.multi_categorical import MultiCategorical
from hts_tf.networks.torsos import mlp, nature_cnn, small_cnn


@pytest.mark.parametrize(
    ("action", "head"),
    [
        (specs.DiscreteSpec(num_values=1), Categorical),
        (specs.DiscreteSpec(num_values=300, dtype="int64"), Categorical),
        (specs.MultiDiscreteSpec(num_values=(4,)), MultiCategorical),
        (specs.ArraySpec((4,), "bool"), Bernoulli),
        (specs.ArraySpec((), "float32"), Gaussian),
        (specs.ArraySpec((2, 3), "float64"), Gaussian),
        (specs.BoxSpec((1,), low=(0.0,), high=(1.0,)), Gaussian),
        (specs.BoxSpec((1,), low=(0.0,), high=(1.0,), bounded_by="tanh"), Gaussian),
    ],
)
def test_the_head_for_each_kind_of_action(action, head):
    assert choice.head_for(action) is head


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16"])
def test_other_actions_are_refused_in_a_line(dtype):
    with pytest.raises(errors.ConfigError, match=rf"^no action head is for .*\(2,\) of {dtype}: b"):
        choice.head_for(specs.ArraySpec((2,), dtype))


def test_several_choices_are_no_discrete_action():
    with pytest.raises(errors.ConfigError, match=r"^no action head is for .*\(2,\)"):
        choice.head_for(specs.DiscreteSpec((2,), num_values=3))


VECTOR = specs.ArraySpec((17,), "float64")
NUMBER = specs.ArraySpec((), "float32")
CHOICE = specs.DiscreteSpec(num_values=16)
ATARI = specs.ArraySpec((84, 84, 4), "uint8", scale=1 / 255)
MINATAR = specs.ArraySpec((10, 10, 4), "bool")
MASK = specs.ArraySpec((4,), "bool")


@pytest.mark.parametrize(
    ("observation", "torso"),
    [
        (VECTOR, mlp),
        (NUMBER, mlp),
        (CHOICE, mlp),
        (specs.MultiDiscreteSpec(num_values=(3, 4)), mlp),
        (specs.ArraySpec((84, 84), "uint8"), mlp),
        (specs.ArraySpec((1, 5, 1), "uint8"), mlp),
        (specs.DiscreteSpec((40, 40, 3), num_values=5), mlp),
        (ATARI, nature_cnn),
        (specs.ArraySpec((4, 84, 84), "uint8"), nature_cnn),
        (specs.ArraySpec((36, 36, 1), "float32"), nature_cnn),
        (super_mini_map.spec(4), nature_cnn),
        (specs.ArraySpec((35, 84, 1), "uint8"), small_cnn),
        (MINATAR, small_cnn),
        (specs.ArraySpec((3, 3, 1), "int32"), small_cnn),
        ({"position": VECTOR, "goal": CHOICE}, mlp),
        ((VECTOR, {"a": (NUMBER,)}), mlp),
        ({"position": VECTOR, "image": ATARI}, by_entry),
        ((VECTOR, {"a": (MINATAR,)}), by_entry),
        ({"map": super_mini_map.spec(4)}, by_entry),
        ({"state": VECTOR, specs.ACTION_MASK: MASK}, mlp),
        ({"image": ATARI, specs.ACTION_MASK: MASK}, nature_cnn),
        ({"image": ATARI, "speed": VECTOR, specs.ACTION_MASK: MASK}, by_entry),
        ({"state": VECTOR, specs.ACTION_MASK: MINATAR}, mlp),
    ],
)
def test_what_suits_an_observation(observation, torso):
    assert choice.torso_for(observation) is torso


def test_numbers_of_values_may_be_numpys():
    """As Gymnasium's spaces have them."""
    action = specs.MultiDiscreteSpec(num_values=tuple(np.array([2, 3])))
    head = choice.head_for(action)(action, Seeds(0))
    head.check_mask({specs.ACTION_MASK: specs.ArraySpec((5,), "bool")})
    policy = head(np.ones((4, 7), np.float32), {specs.ACTION_MASK: np.ones((4, 5), bool)})
    assert head.act(policy, np.zeros((4, 5), np.float32)).shape == (4, 2)


ENVIRONMENT = specs.EnvironmentSpec(VECTOR, specs.DiscreteSpec(num_values=3), 10)


@pytest.mark.usefixtures("clean_gin")
def test_what_is_chosen_is_bound():
    both = ["ActorCritic.torso = @mlp", "ActorCritic.head = @Categorical"]
    assert choice.bind(ENVIRONMENT) == both
    assert choice.bind(ENVIRONMENT) == []
    for binding in both:
        assert binding in gin.config_str()


@pytest.mark.usefixtures("clean_gin")
def test_what_is_bound_is_left_alone():
    gin.parse_config(
        "ActorCritic.torso = @nature_cnn\nActorCritic.head = None\nActorCritic.core = @lstm"
    )
    gin.finalize()
    assert choice.bind(ENVIRONMENT) == ["ActorCritic.head = @Categorical"]
    assert "ActorCritic.torso = @nature_cnn" in gin.config_str()
