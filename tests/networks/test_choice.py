import pytest

from hts_tf import errors, specs
from hts_tf.networks import choice
from hts_tf.networks.bernoulli import Bernoulli
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.gaussian import Gaussian
from hts_tf.networks.multi_categorical import MultiCategorical


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
