"""Trees: arrays, or what describes them, in nested dicts and tuples.

What `tf.nest` does, for processes that never load TensorFlow. Imported by executor processes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Tree = Any  # a leaf; or a dict, a tuple or a named tuple of trees


def map(f: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """Returns a tree of the same structure: each leaf is f of the trees' leaves there.

    Raises:
      ValueError: the trees differ in structure.
    """
    if isinstance(tree, dict):
        if any(other.keys() != tree.keys() for other in others):
            raise ValueError(f"trees of other keys than {', '.join(tree)}")
        return {key: map(f, tree[key], *(other[key] for other in others)) for key in tree}
    if isinstance(tree, tuple):
        parts = [map(f, *branch) for branch in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return f(tree, *others)


def stacked(parts: Sequence[Tree]) -> Tree:
    """Returns trees of the same structure as one, whose arrays have a first axis more."""
    return map(lambda *leaves: np.stack(leaves), *parts)


def joined(parts: Sequence[Tree]) -> Tree:
    """Returns trees of the same structure as one, whose arrays follow along the first axis."""
    return map(lambda *leaves: np.concatenate(leaves), *parts)


def is_left_out(leaf: Tree) -> bool:
    """Returns whether it is (), which stands where there might be a leaf."""
    return isinstance(leaf, tuple)  # `leaf == ()` would be about the values of an array


def leaves(tree: Tree) -> list[Any]:
    """Returns the leaves, in the order of `map`."""
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, tuple):
        return [tree]
    return [leaf for branch in tree for leaf in leaves(branch)]


def named(tree: Tree, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (name, leaf) in the order of `map`: the keys that lead to it, joined by '/'."""
    if isinstance(tree, dict):
        branches = tree.items()
    elif isinstance(tree, tuple):
        branches = tree._asdict().items() if hasattr(tree, "_fields") else enumerate(tree)
    else:
        yield name, tree
        return
    for key, branch in branches:
        yield from named(branch, f"{name}/{key}" if name else str(key))
