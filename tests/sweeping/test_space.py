import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.sweeping import space
from hts_tf.sweeping.space import Parameter


def test_parse():
    lines = [
        "# what matters",
        "",
        "PPO.learning_rate = log(1e-4, 3e-3)  # small ones",
        "PPO.clip=between(0.1, 0.3)\n",
        "PPO.epochs = whole(1, 8)",
        "a/Football.representation = one_of('map, 1', (1, 2), @gru, None)",
        "envs = one_of(16, 32)",
    ]
    assert space.parse(lines) == [
        Parameter("PPO.learning_rate", "log", (1e-4, 3e-3)),
        Parameter("PPO.clip", "between", (0.1, 0.3)),
        Parameter("PPO.epochs", "whole", (1, 8)),
        Parameter("a/Football.representation", "one_of", ("'map, 1'", "(1, 2)", "@gru", "None")),
        Parameter("envs", "one_of", ("16", "32")),
    ]


@pytest.mark.parametrize(
    ("line", "binding"),
    [
        ("a.b = log(1e-5, 1)", "a.b = 0.001235"),
        ("a.b = whole(1, 8)  # passes (both ends)", "a.b = 8"),
        ("a.b = one_of(@gru, None)", "a.b = @gru"),
        ("a.b = between(2.0, 8)", "a.b = 2.0"),  # for what takes whole numbers it is no range
    ],
)
def test_binding(line, binding):
    [parameter] = space.parse([line])
    value = {"between": 2.0, "log": 0.001234567, "whole": 8, "one_of": "@gru"}[parameter.kind]
    assert parameter.binding(value) == binding


@given(st.floats(0.999, 0.99999))
def test_near_the_ends_of_a_narrow_range(value):
    [parameter] = space.parse(["a.b = between(0.999, 0.99999)"])
    found = float(parameter.binding(value).removeprefix("a.b = "))
    assert 0.999 <= found <= 0.99999
    assert found == pytest.approx(value, abs=1e-6)


def test_ends():
    assert space.ends(space.parse(["a.b = whole(1, 8)", "c.d = one_of(@x, @y, None)"])) == [
        ["a.b = 1", "c.d = @x"],
        ["a.b = 8", "c.d = @x"],
        ["a.b = 1", "c.d = @x"],
        ["a.b = 1", "c.d = @y"],
        ["a.b = 1", "c.d = None"],
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "nothing is searched"),
        (["# nothing"], "nothing is searched"),
        (["PPO.clip = 0.1"], "NAME = KIND"),
        (["PPO.clip = uniform(0.1, 0.2)"], "between, log, whole, one_of"),
        (["PPO.clip = between(0.1)"], "takes two numbers"),
        (["PPO.clip = between(0.1, 0.2, 0.3)"], "takes two numbers"),
        (["PPO.epochs = whole(1, 2.5)"], "takes two whole numbers"),
        (["PPO.clip = between(0.2, 0.2)"], "a first number below the second"),
        (["PPO.clip = between(0.2, inf)"], "a first number below the second"),
        (["PPO.clip = between(nan, 1)"], "a first number below the second"),
        (["PPO.clip = log(0, 1)"], "and above 0"),
        (["PPO.clip = one_of(1)"], "two different values"),
        (["PPO.clip = one_of(1, 1)"], "two different values"),
        (["PPO.clip = one_of((1, 2)"], r"\(1, 2"),
        (["PPO.clip = log(1, 2)", "PPO.clip = log(1, 3)"], "PPO.clip is searched twice"),
    ],
)
def test_refuses(lines, says):
    with pytest.raises(errors.ConfigError, match=says):
        space.parse(lines)
