"""Configurables: what gin binds, and the check of every value against its annotation."""

import contextlib
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import gin
from annotated_types import Ge, Le, Len

from hts_tf import errors

if TYPE_CHECKING:
    import pydantic

_SHOWN_CHARACTERS = 60

# By their selectors that no other configurable has: users may have some of the same name.
_made: dict[str, Callable] = {}
_given: dict[str, Sequence[str]] = {}  # what their callers give


def configurable(target: Any = None, /, denylist: Sequence[str] = ()) -> Any:
    """As `gin.configurable`, but calls from Python are checked as the bindings of gin files are.

    Args:
      target: function or class, or the name by which gin files are to call it.
      denylist: parameters that callers give: they cannot be bound, and are not checked.
    """
    if callable(target):
        return _make(target, target.__name__, denylist)
    return lambda actual: _make(actual, target or actual.__name__, denylist)


def _make(target: Callable, name: str, denylist: Sequence[str]) -> Callable:
    if not inspect.isclass(target):
        target = _checked(target, name, denylist)
    elif "__init__" in vars(target):  # else that of the base class is checked
        target.__init__ = _checked(target.__init__, name, denylist)
    elif dataclasses.is_dataclass(target):
        target.__init__ = _passing_on(target)
    made = gin.configurable(name, denylist=denylist)(target)
    _made[f"{made.__module__}.{name}"] = made
    _given[f"{made.__module__}.{name}"] = denylist
    return made


def _passing_on(target: type) -> Callable:
    """Returns an `__init__` for a subclass of a dataclass that has none of its own.

    By that of the base class, gin would take the other's defaults for what this one is made with.
    """

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        super(target, self).__init__(*args, **kwargs)

    base = target.__init__
    parameters = [
        parameter.replace(default=inspect.Parameter.empty)
        for parameter in inspect.signature(base).parameters.values()
    ]
    __init__.__signature__ = inspect.Signature(parameters)  # by which gin knows what may be bound
    __init__.__annotations__ = dict(base.__annotations__)
    __init__.passes_on = True
    return __init__


def overridden(target: type) -> list[str]:
    """Returns the selectors of the configurables whose bindings a subclass of theirs cannot read.

    A dataclass makes an `__init__` of its own, which calls no other.
    """
    for number, cls in enumerate(target.__mro__[:-1]):
        function, of_base = map(inspect.unwrap, (cls.__init__, cls.__mro__[1].__init__))
        if function is of_base or hasattr(function, "passes_on"):
            continue
        code = getattr(function, "__code__", None)
        if not code or code.co_filename != "<string>":  # where dataclasses compile theirs
            return []
        behind = target.__mro__[number + 1 :]
        return [selector for selector, made in _made.items() if made in behind]
    return []


def _checked(function: Callable, name: str, denylist: Sequence[str]) -> Callable:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given, kinds = signature.bind_partial(*args, **kwargs), annotations(function)
        for parameter, value in given.arguments.items():
            if parameter in kinds and parameter not in denylist:
                checked = check(f"{name}.{parameter}", value, kinds[parameter])
                given.arguments[parameter] = checked
        return function(*given.args, **given.kwargs)

    call.__signature__ = signature  # where gin looks for the defaults
    return call


def names() -> list[str]:
    """Returns those of all that were made here."""
    return [_short(selector) for selector in _made]


def _short(selector: str) -> str:
    return selector.rpartition(".")[2]


def bindable(selector: str) -> list[str]:
    """Returns the parameters of a configurable, anyone's, that can be bound."""
    meant = (given for full, given in _given.items() if f".{full}".endswith(f".{selector}"))
    given = next(meant, ())
    parameters = inspect.signature(gin.get_configurable(selector)).parameters
    return [name for name in parameters if name not in given]


def owners(parameter: str) -> list[str]:
    """Returns those made here which have a parameter of that name that can be bound."""
    return [_short(selector) for selector in _made if parameter in bindable(selector)]


def defaults() -> Iterator[tuple[str, str, Any]]:
    """Yields (selector, parameter, default) of all that were made here."""
    for selector, target in _made.items():
        for parameter in inspect.signature(_function(target)).parameters.values():
            if parameter.default not in (parameter.empty, gin.REQUIRED):
                yield selector, parameter.name, parameter.default


def selector(value: Any) -> str | None:
    """Returns the selector of one that was made here, or None for any other value."""
    return next((selector for selector, made in _made.items() if made is value), None)


def annotations(target: Callable) -> dict[str, Any]:
    """Returns those of a function's parameters, or a class's; none where they cannot be had."""
    with contextlib.suppress(
        NameError, TypeError, AttributeError, SyntaxError
    ):  # such as of a partial
        return typing.get_type_hints(_function(target), include_extras=True)
    return {}


def _function(target: Callable) -> Callable:
    return target.__init__ if inspect.isclass(target) else target


def check(binding: str, value: Any, annotation: Any, shown: str = "") -> Any:
    """Checks a value as strictly as it is annotated: a bool is no number, a string neither.

    Args:
      binding: for the message.
      value: references of gin in it have been evaluated.
      annotation: a type, perhaps with a range from `values`.
      shown: the value as it was bound.

    Returns:
      The value; a whole number that is to be any number has become one.

    Raises:
      ConfigError: the value is not of that type or range.
    """
    import pydantic  # takes a while, and executors need no checks

    try:
        return _adapter_of(annotation).validate_python(value)
    except pydantic.ValidationError:
        shown = shorten(shown or repr(value))
        raise errors.ConfigError(f"{binding} = {shown}: must be {describe(annotation)}") from None


def shorten(text: str) -> str:
    """Returns a text on one line, and not all of a long one."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _adapter_of(annotation: Any) -> "pydantic.TypeAdapter":
    try:
        return _adapter(annotation)
    except TypeError:  # something in it cannot be looked up
        return _adapter.__wrapped__(annotation)


@functools.cache  # making one takes longer than all else that a binding takes
def _adapter(annotation: Any) -> "pydantic.TypeAdapter":
    import pydantic

    try:
        return pydantic.TypeAdapter(
            _precise(annotation),
            config=pydantic.ConfigDict(
                strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
            ),
        )
    except Exception:  # of many kinds: it means something to its author only
        return pydantic.TypeAdapter(Any)


def _precise(annotation: Any) -> Any:
    """Returns an annotation with what pydantic would not ask of classes and functions."""
    import pydantic

    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return Annotated[(_precise(args[0]), *args[1:])]
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_precise, args))]  # noqa: UP007  of any number
    if origin is Callable:
        return Annotated[annotation, pydantic.AfterValidator(functools.partial(_fits, annotation))]
    if origin in (list, tuple, dict, Sequence):
        return origin[tuple(map(_precise, args))]
    if inspect.isclass(annotation) and annotation.__module__ not in ("builtins", "typing"):
        return Annotated[Any, pydantic.AfterValidator(functools.partial(_is, annotation))]
    return annotation


def _fits(annotation: Any, function: Callable) -> Callable:
    """Raises: ValueError: it cannot be called so, or what it makes is certainly something else."""
    parameters, wanted = typing.get_args(annotation) or (..., Any)
    if isinstance(parameters, list):
        own = [None] if inspect.isclass(function) else []  # self
        try:  # gin may give those that are missing
            inspect.signature(_function(function)).bind_partial(*own, *parameters)
        except TypeError as error:
            raise ValueError from error
    made = function if inspect.isclass(function) else annotations(function).get("return", wanted)
    kinds = [typing.get_origin(kind) or kind for kind in (made, wanted)]
    if all(map(inspect.isclass, kinds)) and not (
        issubclass(*kinds) or issubclass(*reversed(kinds))
    ):
        raise ValueError
    return function


def _is(kind: type, value: Any) -> Any:
    """Raises: ValueError: a value is not of a class, or has not the members of a protocol."""
    if not getattr(kind, "_is_protocol", False):
        fits = isinstance(value, kind)
    else:
        from typing_extensions import get_protocol_members  # pydantic brings it

        # Statically, as properties may do anything.
        members = [inspect.getattr_static(value, m, None) for m in get_protocol_members(kind)]
        fits = not inspect.isclass(value) and None not in members
    if not fits:
        raise ValueError
    return value


_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a string",
    type(None): "None",
    Any: "anything",
}


def describe(annotation: Any) -> str:
    """Returns in words what an annotation permits."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return describe(args[0]) + _describe_limits(args[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(map(describe, args))
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin in (list, tuple, Sequence):
        return f"a tuple or list, each of it {describe(args[0])}"
    if origin is dict:
        named = "a dict {'name': value}"
        return named if args[1] is Any else f"{named}, each value {describe(args[1])}"
    if origin is type:
        return f"a kind of {_name(args[0])} (@NAME)"
    if origin is Callable:
        return f"a maker of {_name(args[-1])} (@NAME)"
    return _WORDS.get(annotation, f"of type {_name(annotation)} (@NAME())")


def _describe_limits(limits: Sequence[Any]) -> str:
    match limits:
        case [Ge(ge=low), Le(le=high)]:
            return f" from {low:,} to {high:,}"
        case [Len(min_length=low, max_length=high)]:
            return f", {low} to {high} long"
    return f" ({', '.join(map(str, limits))})"


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))
