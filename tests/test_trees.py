from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import trees


class Pair(NamedTuple):
    first: object = ()
    second: object = ()


structures = st.recursive(
    st.integers() | st.none() | st.text(max_size=3),
    lambda tree: (
        st.dictionaries(st.text("abc", min_size=1, max_size=2), tree, max_size=3)
        | st.lists(tree, max_size=3).map(tuple)
        | st.builds(Pair, tree, tree)
    ),
)


def types(tree):
    """The structure, with the keys of dicts in their order."""
    if isinstance(tree, dict):
        return dict, [(key, types(branch)) for key, branch in tree.items()]
    if isinstance(tree, tuple):
        return type(tree), [types(branch) for branch in tree]
    return type(tree)


def test_stacked_and_joined():
    one, other = {"a": Pair(np.zeros(2))}, {"a": Pair(np.ones(2))}
    both = trees.stacked([one, other])
    assert types(both) == types(one)
    np.testing.assert_array_equal(both["a"].first, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(trees.joined([one, other])["a"].first, [0, 0, 1, 1])


@given(structures)
def test_map_with_the_identity_keeps_the_tree(tree):
    same = trees.map(lambda leaf: leaf, tree)
    assert same == tree
    assert types(same) == types(tree)


@given(structures)
def test_leaves_are_in_the_order_of_map(tree):
    visited = []
    trees.map(visited.append, tree)
    assert [leaf for _, leaf in trees.named(tree)] == trees.leaves(tree) == visited


@given(structures)
def test_map_takes_several_trees_leaf_by_leaf(tree):
    doubled = trees.map(lambda *leaves: list(leaves), tree, tree)
    assert [leaf for _, leaf in trees.named(doubled)] == [
        [leaf, leaf] for _, leaf in trees.named(tree)
    ]


def test_branches_are_found_by_their_keys_not_by_their_order():
    assert trees.map(int.__sub__, {"a": 5, "b": 7}, {"b": 1, "a": 2}) == {"a": 3, "b": 6}


def test_names_are_the_keys_on_the_way():
    tree = {"b": Pair((1, 2), {"x": 3}), "a": 4}
    expected = {"b/first/0": 1, "b/first/1": 2, "b/second/x": 3, "a": 4}
    assert dict(trees.named(tree)) == expected
    assert list(trees.named(tree, "top"))[-1] == ("top/a", 4)
    assert list(trees.named(5, "top")) == [("top", 5)]


@pytest.mark.parametrize("other", [(1, 2, 3), (1,)])
def test_tuples_must_be_of_the_same_length(other):
    with pytest.raises(ValueError, match="zip"):
        trees.map(int.__add__, (1, 2), other)


@pytest.mark.parametrize("empty", [(), {}, Pair()])
def test_an_empty_tree_has_no_leaves(empty):
    assert list(trees.named(empty)) == []
    assert trees.map(int.__neg__, empty) == empty
