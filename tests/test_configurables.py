import dataclasses
import subprocess
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import gin
import pytest
from annotated_types import Ge, Le, Len

from hts_tf import bindings, config, configurables, errors, settings, values  # noqa: F401  gin's
from hts_tf.algorithms.ppo import PPO
from hts_tf.configurables import check, configurable, describe
from hts_tf.networks import torsos

pytestmark = pytest.mark.usefixtures("clean_gin")


class Shape(typing.Protocol):
    sides: int

    def draw(self) -> None: ...


class Square:
    sides = 4

    @property
    def draw(self):
        raise AssertionError("looked at")


def make_square(size: int) -> Square: ...


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "words"),
    [
        (values.Count, [1], [0, True, 1.0, "1", None], "a whole number from 1 to 9,007,"),
        (float, [1, -0.5], [True, "1", float("nan"), float("inf"), 1j], "a number"),
        (bool, [True], [1, "False", None], "True or False"),
        (values.Fraction | None, [0, 1, None], [1.1, "x"], "a number from 0 to 1 or None"),
        (Literal["a", "b"], ["a"], ["c", None], "'a' or 'b'"),
        (
            Annotated[Sequence[int], Len(1, 2)],
            [(1,), [1, 2]],
            [(), (1, 2, 3), 1, "12", (True,)],
            "a tuple or list, each of it a whole number, 1 to 2 long",
        ),
        (type[Square], [Square], [Square(), PPO, "Square"], "a kind of Square (@NAME)"),
        (Square, [Square()], [Square, None], "of type Square (@NAME())"),
        (Shape, [Square()], [Square, object(), None], "of type Shape (@NAME())"),
        (
            Callable[[int], Square],
            [Square, make_square, lambda x: x],
            [PPO, "x", lambda: None, None],
            "a maker of Square (@NAME)",
        ),
        (
            dict[str, int],
            [{}, {"a": 1}],
            [{1: 1}, {"a": "b"}, ()],
            "a dict {'name': value}, each value a whole",
        ),
        (tuple[int, ...], [(1, 2)], [(1, "x"), 1], "a tuple or list"),
        ("what it is, is for its author", [1, None], [], ""),
        (Any, [1, None], [], ""),
    ],
)
def test_strictly(annotation, good, bad, words):
    for value in good:
        assert check("A.x", value, annotation) == value
    for value in bad:
        with pytest.raises(errors.ConfigError, match=r"^A\.x = .*: must be ") as error:
            check("A.x", value, annotation)
        assert words in str(error.value)
    assert words in describe(annotation)


def test_a_whole_number_becomes_any_number():
    assert type(check("A.x", 1, float)) is float


def test_python_is_checked_as_gin_files_are():
    @configurable("Named", denylist=["given"])
    class _Class:
        def __init__(
            self, given: int, size: values.Size = 1, other: Annotated[int, Ge(1), Le(2)] = 1
        ):
            self.all = given, size, other

    @configurable
    def _function(rate: values.Fraction = 0.5):
        return rate

    assert _Class("anything", 5).all == ("anything", 5, 1)
    with pytest.raises(errors.ConfigError, match=r"Named\.size = 0: must be"):
        _Class(1, 0)
    with pytest.raises(errors.ConfigError, match=r"Named\.other = 3: must be"):
        _Class(1, other=3)
    with pytest.raises(errors.ConfigError, match=r"_function\.rate = 2: must be"):
        _function(2)
    config.load("synthetic", "hts_ppo", gin_bindings=["Named.size = 7"])
    assert _Class(1).all == (1, 7, 1)
    with pytest.raises(errors.ConfigError, match=r"Named\.size = 0: must be"):
        config.load("synthetic", "hts_ppo", gin_bindings=["Named.size = 0"])
    with pytest.raises(errors.ConfigError, match="given"):
        config.load("synthetic", "hts_ppo", gin_bindings=["Named.given = 1"])


def test_one_of_the_same_name_takes_nothing_from_ours(monkeypatch):
    for name in ("_made", "_given"):
        monkeypatch.setattr(configurables, name, getattr(configurables, name).copy())
    before = {*configurables.defaults()}

    def mlp(units: int = 3): ...

    mlp.__module__ = "theirs"
    try:
        theirs = configurable(mlp)
        assert configurables.selector(torsos.mlp) == "hts_tf.networks.torsos.mlp"
        assert configurables.selector(theirs) == "theirs.mlp"
        assert {*configurables.defaults()} == {*before, ("theirs.mlp", "units", 3)}
        assert "spec" not in configurables.bindable("hts_tf.networks.torsos.mlp")
        assert configurables.bindable("theirs.mlp") == ["units"]
    finally:
        gin.config._REGISTRY.pop("theirs.mlp")


def test_those_of_gin_alone_are_checked_when_they_are_loaded(namesake):
    def theirs(size: int = 1, anything=None, **others): ...

    namesake(theirs, "other")
    for good in ("size = 2", "anything = 'x'", "anything = @Synthetic", "more = 1"):
        config.load("synthetic", "hts_ppo", gin_bindings=[f"theirs.{good}"])
    with pytest.raises(errors.ConfigError, match=r"theirs\.size = 'x': must be a whole number"):
        config.load("synthetic", "hts_ppo", gin_bindings=["theirs.size = 'x'"])


@pytest.mark.parametrize(
    "bindings",
    [
        ["a/PPO.clip = 0.1"],
        ["a/PPO.clip = 0.1", "Trainer.algorithm = @a/PPO()"],
        ["Trainer.algorithm = @a/PPO()"],
        ["a/b/Trainer.num_envs = 4"],
        ["Trainer.environment = @s/gin.singleton()", "s/gin.singleton.constructor = @Synthetic"],
    ],
)
def test_scopes_are_refused(bindings):
    with pytest.raises(errors.ConfigError, match="scopes have no effect here"):
        config.load("synthetic", "hts_ppo", gin_bindings=bindings)


def test_executors_pay_for_no_checks():
    code = (
        "import sys, hts_tf.environments.synthetic, hts_tf.environments.football.football, "
        "hts_tf.collecting.executor_process; sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_subclass_without_an_init_reads_what_is_bound_to_its_base(clean_gin):
    class Variant(PPO):
        pass

    made = configurables.configurable(Variant)
    try:
        gin.parse_config("PPO.epochs = 5\nVariant.clip = 0.5")
        settings = made()
        assert (settings.epochs, settings.clip) == (5, 0.5)
        assert "Variant.epochs" not in gin.operative_config_str()
        with pytest.raises(errors.ConfigError, match=r"PPO\.epochs = 0: must be"):
            made(epochs=0)
        assert configurables.bindable("Variant") == configurables.bindable("PPO")
        with pytest.raises(ValueError, match="epochz"):
            gin.parse_config("Variant.epochz = 3")
        gin.parse_config("Variant.discount = 3")
        with pytest.raises(errors.ConfigError, match=r"Variant\.discount = 3: must be a number fr"):
            bindings.settle()
    finally:
        forget(made)


@dataclasses.dataclass(frozen=True)
class CallsThatOfItsBase(PPO):
    def __init__(self):
        super().__init__()


def test_a_dataclass_does_not(clean_gin):
    @configurable
    @dataclasses.dataclass(frozen=True)
    class Variant(PPO):
        more: float = 1.0

    try:
        assert configurables.overridden(Variant) == ["hts_tf.algorithms.ppo.PPO"]
        assert configurables.overridden(PPO) == []
        assert configurables.overridden(type("Plain", (Variant,), {})) == [
            "hts_tf.algorithms.ppo.PPO"
        ]
        assert configurables.overridden(CallsThatOfItsBase) == []
        plain = gin.configurable("of_gin", module="plain")(type("Plain", (PPO,), {}))
        gin.config._REGISTRY.pop("plain.of_gin")
        assert configurables.overridden(plain) == []
        says = r"Variant, a dataclass, would not read what is bound to PPO, .*\(PPO.epochs\): bind"
        gin.parse_config("Trainer.algorithm = @Variant()\nPPO.epochs = 5")
        with pytest.raises(errors.ConfigError, match=says):
            bindings.settle()
        gin.clear_config()
        gin.parse_config("Trainer.algorithm = @Variant()\nPPO.epochs = 5\nVariant.epochs = 6")
        bindings.settle()  # so it is bound to have its own
    finally:
        forget(Variant)


def forget(made):
    """Takes back what a test has registered."""
    selector = configurables.selector(made)
    del configurables._made[selector], configurables._given[selector]
    gin.config._REGISTRY.pop(selector)
