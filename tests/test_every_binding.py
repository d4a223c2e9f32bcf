"""Every binding of every configurable with values of all kinds: permitted, or refused in a line.

What is bound, and what it may be, is read from the signatures: a new configurable is covered.
"""

import ast
import functools
import importlib
import inspect
import itertools
import math
import signal
import types
import typing
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import gin
import pytest
from annotated_types import Ge, Le, Len

import hts_tf
from hts_tf import config, configurables, errors, presets, settings
from hts_tf.build import build
from hts_tf.files import scope
from hts_tf.system import memory

PACKAGE = Path(hts_tf.__file__).parent

LITERALS = [
    *("None", "True", "False", "0", "1", "2", "7", "-1", "16", "257", "1000000000", f"{10**18}"),
    *("1" * 400, "0.0", "0.5", "1.0", "-0.5", "1e-300", "1e300", "1e999", "-1e999", "1j"),
    *("''", "'x'", "'0'", "'False'", "'clip'", "'float32'", "'constant'", "'scoring'", "b'1'"),
    *("()", "(64)", "(64,)", "[64, 32]", "(0,)", "(-1,)", "(True,)", "(64, 'x')", "(1.5,)"),
    *("((32, 8, 4),)", "[[32, 8, 4]]", "((32, 8),)", "((32, 8, 0),)", "(((1,),),)", "(1,) * 2"),
    *("{}", "{'a': 1}", "{1: (2,)}", f"({'1, ' * 300})", "['academy_corner']", "'academy_corner'"),
]
NONSENSE = [
    *("", "(", "(1", "[1, 2", "{'a':", "'x", '"""', ")", "nan", "inf", "x", "...", "-", "--1"),
    *("1 2", "1,", "@", "%", "@nope", "@nope()", "%nope", "%gin.REQUIRED", "%loop", "@PPO(", "\0"),
    *("@PPO(1)", "@a/PPO()", "@macro", "@gin.macro()", "@gin.singleton()", "lambda: 1", "1 + 1"),
    *(
        "-%zero",
        "- %zero",
        "(-%zero,)",
        "-@PPO()",
        "@PPO().epochs",
        "\\",
        "(" * 300,
        "é",
        "0x",
        "1__0",
        "%",
        "%%",
        "@@PPO",
    ),
]
MACROS = ["zero = 0", "many = (64, 32)", "loop = (%loop,)", "made = @PPO()"]


def modules():
    """Imports all modules that make configurables, and returns them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "@configurable" in path.read_text():
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield importlib.import_module(".".join(parts))


MODULES = list(modules())


def registered():
    """Name -> configurable, of all that gin knows from the package."""
    return {
        made.name: made
        for selector, made in sorted(gin.config._REGISTRY.items())
        if selector.startswith("hts_tf.")
    }


@functools.cache
def signatures():
    """Binding -> (annotation, default), of all that can be bound."""
    found = {}
    for name, made in registered().items():
        function = made.wrapped.__init__ if inspect.isclass(made.wrapped) else made.wrapped
        hints = typing.get_type_hints(function, include_extras=True)
        for parameter, said in inspect.signature(function).parameters.items():
            if parameter != "self" and parameter not in (made.denylist or ()):
                found[f"{name}.{parameter}"] = hints.get(parameter), said.default
    return found


def parameters():
    """Binding -> annotation, of all that can be bound."""
    return {binding: annotation for binding, (annotation, _) in signatures().items()}


def values():
    """Binding -> what is tried; of those that may be the same, the first gets all of it."""
    references = [f"@{other}{end}" for other in registered() for end in ("", "()")]
    texts = [*LITERALS, *references, "[@Synthetic(), @Synthetic()]", "%zero", "%many", *NONSENSE]
    counts = Counter()
    found = {}
    for binding, annotation in parameters().items():
        number = counts[str(annotation)]
        counts[str(annotation)] += 1
        found[binding] = texts[number % 4 :: 4] if number else texts
    return found


def permitted(value, annotation):
    """Judges by itself whether an annotation permits a value."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return permitted(value, args[0]) and all(
            limit.ge <= value
            if isinstance(limit, Ge)
            else value <= limit.le
            if isinstance(limit, Le)
            else limit.min_length <= len(value) <= limit.max_length
            for limit in args[1:]
            if isinstance(limit, (Ge, Le, Len)) or pytest.fail(f"{limit} has no judge")
        )
    if origin in (typing.Union, types.UnionType):
        return any(permitted(value, each) for each in args)
    if origin is typing.Literal:
        return type(value) is str and value in args
    if origin is Sequence:
        return isinstance(value, (list, tuple)) and all(permitted(v, args[0]) for v in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            permitted(k, args[0]) and permitted(v, args[1]) for k, v in value.items()
        )
    if annotation is typing.Any:
        return True
    if origin is type:
        return inspect.isclass(value) and issubclass(value, args[0])
    if origin is Callable:
        if not callable(value):
            return False
        made = value if inspect.isclass(value) else inspect.signature(value).return_annotation
        wanted = typing.get_origin(args[1]) or args[1]
        return issubclass(typing.get_origin(made) or made, wanted)
    if annotation is float:
        return type(value) in (int, float) and abs(value) < math.inf
    if annotation in (int, bool, str, type(None)):
        return type(value) is annotation
    if getattr(annotation, "_is_protocol", False):
        return not inspect.isclass(value) and hasattr(value, "spec") and hasattr(value, "make")
    return isinstance(value, annotation)


class Hang(BaseException):
    pass


def hang(*_):
    raise Hang


def load(*bindings):
    """Loads a configuration; returns None, or why it is refused."""
    macros = [m for m in MACROS if f"%{m.partition(' ')[0]}" in " ".join(bindings)]
    signal.signal(signal.SIGALRM, hang)
    signal.alarm(20)
    try:
        config.load("synthetic", "hts_ppo", gin_bindings=[*macros, *bindings])
    except errors.ConfigError as error:
        message = str(error)
        assert message
        assert len(message.splitlines()) == 1
        assert len(message) < 400, message
        return message
    finally:
        signal.alarm(0)
    return None


def test_all_that_gin_knows_was_made_by_us_and_is_annotated():
    ours = {s.rpartition(".")[2] for s in configurables._made if s.startswith("hts_tf.")}
    assert set(registered()) == ours
    assert [name for name, annotation in parameters().items() if annotation is None] == []


@pytest.fixture
def few_bindings(tmp_path, monkeypatch):
    """Gin files that bind what must be: others would be parsed thousands of times for nothing."""
    for kind in ("methods", "scenarios"):
        (tmp_path / kind).mkdir()
    method = "Trainer.schedule = @HTS\nTrainer.algorithm = @PPO()\n"
    (tmp_path / "methods" / "hts_ppo.gin").write_text(method)
    scenario = (presets.directory() / "scenarios" / "synthetic.gin").read_text()
    (tmp_path / "scenarios" / "synthetic.gin").write_text(scenario)
    monkeypatch.setattr(presets, "directory", lambda: tmp_path)


@pytest.mark.parametrize("name", sorted({name.partition(".")[0] for name in parameters()}))
def test_values_of_all_kinds(name, clean_gin, few_bindings):
    counts = Counter()
    tried = values()
    for binding, annotation in parameters().items():
        if not binding.startswith(f"{name}."):
            continue
        for text in tried[binding]:
            refusal = load(f"{binding} = {text}")
            counts["refused" if refusal else "taken"] += 1
            if refusal is None:
                assert text not in NONSENSE, f"{binding} = {text}"
                bound = gin.get_bindings(name)[binding.partition(".")[2]]
                assert permitted(bound, annotation), f"{binding} = {text}"
            elif "must be" in refusal and text in LITERALS:
                assert refusal.startswith(f"{binding} = "), refusal
                assert not permitted(ast.literal_eval(text), annotation), refusal
    assert counts["refused"]
    print(f"{name}: {dict(counts)}")  # shown with -s


def limits(annotation):
    """Yields the least and the most that an annotation permits, and what it permits by name."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from (limit.ge for limit in args[1:] if isinstance(limit, Ge))
        yield from (limit.le for limit in args[1:] if isinstance(limit, Le))
    elif origin in (typing.Union, types.UnionType):
        for each in args:
            yield from limits(each)
    elif origin is typing.Literal:
        yield from args
    elif annotation is bool:
        yield from (True, False)
    elif annotation is type(None):
        yield None


BUILT_ELSEWHERE = (
    "Compute.",
    "Curriculum.",
    "Football.",
    "Gymnasium.",
    "Opponents.",
    "nature_cnn.",
)
LIMITS = [
    (binding, value)
    for binding, (annotation, default) in signatures().items()
    for value in limits(annotation)
    if not binding.startswith(BUILT_ELSEWHERE) and value != default
]
METHODS = {"A2C": "hts_a2c", "rmsprop": "hts_a2c", "Asynchronous": "impala"}
METHODS |= {"IMPALA": "impala", "adam": "impala"}


def method_of(binding):
    return METHODS.get(binding.partition(".")[0], "hts_ppo")


def refusals(limits, workdir):
    """Builds a run with bindings at their limits; returns why they are refused, each by itself."""
    bindings = [f"{binding} = {value!r}" for binding, value in limits]
    try:
        config.load("synthetic", method_of(limits[0][0]), gin_bindings=bindings)
        build(settings.Settings(), str(workdir), seed=0).close()
    except errors.ConfigError as error:
        if len(limits) == 1:
            return [str(error)]
        named = [limit for limit in limits if f"{limit[0]} " in str(error)]
        parts = [named, [limit for limit in limits if limit not in named]]
        if not all(parts):
            half = len(limits) // 2
            parts = [limits[:half], limits[half:]]
        return [why for i in range(2) for why in refusals(parts[i], f"{workdir}-{i}")]
    return []


def groups():
    """Returns limits together, two of each configurable, as far as one method has them all."""
    found = defaultdict(dict)
    for binding, value in LIMITS:
        name = binding.partition(".")[0]
        for number in itertools.count():
            group = found[method_of(binding), number]
            if binding not in group and sum(b.startswith(f"{name}.") for b in group) < 2:
                group[binding] = value
                break
    return [list(group.items()) for group in found.values()]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(4))
def test_what_is_just_permitted_can_be_built_or_is_refused_in_a_line(
    first, tmp_path, clean_gin, monkeypatch
):
    """Several at once, as building takes its time; divided where these are refused."""
    monkeypatch.setattr(scope, "describe", functools.cache(scope.describe))  # takes its time
    # Whatever else is running.
    monkeypatch.setattr(memory, "memory_available_bytes", lambda: 8 << 30)
    limits = groups()[first::4]
    refused = [why for i, group in enumerate(limits) for why in refusals(group, tmp_path / f"{i}")]
    assert len(refused) < 5, refused
