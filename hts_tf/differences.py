"""What differs between two operative configurations, and changes results."""

from collections.abc import Collection, Iterator
from typing import Any

import gin

from hts_tf import configurables, operative
from hts_tf.operative import Reference

# Bindings that never change a result: they may differ when a run is resumed.
FREE_BINDINGS = frozenset(
    f"Trainer.{name}"
    for name in (
        "num_executors",
        "num_actors",
        "num_learners",
        "actor_batch_size",
        "checkpoint_every_sec",
        "checkpoint_every_updates",
        "keep_checkpoints",
        "fingerprints",
        "crash_limit",
        "step_timeout_sec",
        "archive_episodes",
        "evaluate_every_updates",
        "evaluate_episodes",
        "stop_at_score",
        "observers",
    )
)


# What was done before there were these bindings, where that is not the default.
_BEFORE = {"ActorCritic.head": Reference("@Categorical")}


def between(
    old: str, new: str, places: tuple[str, str] = ("there", "now"), bound_by_both: bool = False
) -> list[str]:
    """Returns what differs between two operative configurations and changes results.

    A binding that one does not have, as its code did not know it yet, had the meaning of the
    default: that is how defaults of new settings are chosen.

    Args:
      old: the one.
      new: the other.
      places: how to call where the two are from.
      bound_by_both: looks at these bindings only, for who has not imported what has the defaults.

    Raises:
      ConfigError: one cannot be parsed.
    """
    sides = [operative.bindings(old), operative.bindings(new)]
    unbound = {**dict(_defaults()), **_BEFORE}
    observers = {name for side in sides for name in operative.observers_of(side)}
    for side in sides:
        watching = side.pop(operative.WATCHING, ())
        modules = tuple(name for name in side.pop(operative.IMPORTS, ()) if name not in watching)
        if modules:
            side[operative.IMPORTS] = modules
    found = []
    for name in sorted({*sides[0], *sides[1]} - FREE_BINDINGS):
        if name.rpartition(".")[0] in observers or _is_of_an_observer(name):
            continue
        if bound_by_both and not all(name in side for side in sides):
            continue
        default = unbound.get(name.rpartition("/")[2], Reference("unset"))
        pair = [side.get(name, default) for side in sides]
        if _comparable(pair[0]) != _comparable(pair[1]):
            both = ", ".join(f"{v!r} {p}" for v, p in zip(pair, places, strict=True))
            found.append(f"{name} = {both}")
    return found


def but_seeds(a: str, b: str, places: tuple[str, str], others: Collection[str] = ()) -> list[str]:
    """Returns in what two runs differ that are to differ in nothing but their seeds.

    Needs nothing that is configured; see `between`.

    Args:
      a: the one.
      b: the other.
      places: how to call where the two are from.
      others: names of further bindings in which they may differ.
    """
    found = between(a, b, places, bound_by_both=True)
    may_differ = {operative.SEED, *map(_short, others)}
    return [what for what in found if _short(what.partition(" = ")[0]) not in may_differ]


def _short(name: str) -> str:
    """Returns the name of a binding without the modules that its configurable is from."""
    scope, slash, selector = name.rpartition("/")
    return scope + slash + ".".join(selector.split(".")[-2:])


def _is_of_an_observer(binding: str) -> bool:
    """Returns whether it is of a configurable that says of itself that it changes no results."""
    if "." not in binding:
        return False
    try:
        kind = gin.get_configurable(binding.rpartition(".")[0])
    except (ValueError, KeyError):  # unknown here, or there are several
        return False
    return not getattr(kind, "influences_results", True)


def _defaults() -> Iterator[tuple[str, Any]]:
    """Yields (binding, value) of what is so where nothing is bound."""
    for selector, parameter, default in configurables.defaults():
        named = configurables.selector(default)
        value = Reference(f"@{named.rpartition('.')[2]}") if named else default
        yield f"{selector.rpartition('.')[2]}.{parameter}", value


def _comparable(value: Any) -> Any:
    """Returns a value that is equal to another one if they mean the same: lists are tuples."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_comparable, value))
    if isinstance(value, dict):
        return {key: _comparable(part) for key, part in value.items()}
    return (bool, value) if isinstance(value, bool) else value
