import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import differences, errors, settings


@pytest.mark.parametrize("text", ["A.x = (", "A.x = \n", "\0", "A.x", "A.x = 'y"])
def test_what_is_damaged_is_reported(text):
    with pytest.raises(errors.ConfigError, match="damaged"):
        differences.between(text, "")


OLD = "# a comment\nA.x = 1\nA.y = 'two words'\nscope/B.z = @C()\n"


def test_differences():
    assert differences.between(OLD, OLD) == []
    new = OLD.replace("1", "2").replace("A.y", "A.why")
    assert differences.between(OLD, new) == [
        "A.why = unset there, 'two words' now",
        "A.x = 1 there, 2 now",
        "A.y = 'two words' there, unset now",
    ]


def test_differences_within_dicts():
    lines = "A.x = {'a': (1, True)}", "A.x = {'a': [1, True]}", "A.x = {'a': (1, 1)}"
    assert differences.between(lines[0], lines[1]) == []
    assert len(differences.between(lines[0], lines[2])) == 1


def test_order_and_comments_are_no_differences():
    lines = OLD.splitlines()
    assert differences.between(OLD, "\n".join(["# other", *reversed(lines[1:])])) == []


names_and_values = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(names_and_values, names_and_values)
def test_differences_are_symmetric_and_complete(old, new):
    def text(values):
        return "".join(f"A.{name} = {value}\n" for name, value in values.items())

    expected = sum(old.get(name) != new.get(name) for name in {*old, *new})
    assert len(differences.between(text(old), text(new))) == expected
    assert len(differences.between(text(new), text(old))) == expected


@pytest.mark.parametrize("binding", sorted(differences.FREE_BINDINGS))
def test_free_bindings_may_differ(binding):
    assert differences.between(f"{binding} = 1\nA.x = 1\n", f"{binding} = 2\nA.x = 1\n") == []
    configurable, parameter = binding.split(".")
    assert configurable == "Trainer"
    assert parameter in inspect.signature(settings.Settings).parameters


@pytest.mark.parametrize("binding", ["Trainer.num_envs", "Trainer.sync_interval", "PPO.clip"])
def test_other_bindings_may_not(binding):
    assert differences.between(f"{binding} = 1\n", f"{binding} = 2\n") == [
        f"{binding} = 1 there, 2 now"
    ]
