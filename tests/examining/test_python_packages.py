import pytest
from packaging.requirements import Requirement

from hts_tf.examining import python_packages
from tests.command_line import ROOT


def test_what_several_extras_want_is_listed_once(monkeypatch):
    wanted = ["packaging>=1; extra == 'plot'", "packaging>=1; extra == 'report'"]
    monkeypatch.setattr(python_packages.metadata, "requires", lambda _: wanted)
    assert [finding.name for finding in python_packages.requirements()] == ["packaging"]


def test_extras_of_others_are_what_they_stand_for(monkeypatch):
    wanted = {
        "hts_tf": ["packaging[more]; extra == 'mujoco'", "packaging[more]>=1; extra == 'plot'"],
        "packaging": ["hypothesis>=2; extra == 'more'", "pytest>=3", "ruff; extra == 'other'"],
    }
    monkeypatch.setattr(python_packages.metadata, "requires", wanted.__getitem__)
    found = [
        (finding.name, finding.detail.split()[1]) for finding in python_packages.requirements()
    ]
    assert found == [("hypothesis", "(>=2)"), ("packaging", "(>=1)")]


@pytest.mark.parametrize(
    ("text", "detail", "command"),
    [
        ("packaging>=1", "(>=1)", None),
        ("packaging<1", "is not <1", "-m pip install 'packaging<1'"),
        ("hts-tf-nothing>=2", "not installed (>=2)", "-m pip install 'hts-tf-nothing>=2'"),
        ("hts-tf-nothing>=2; extra == 'football'", "not installed", "-m pip install"),
        ("hts-tf-nothing>=2; extra == 'plot'", "not installed, optional", None),
        ("packaging<1; extra == 'test'", "is not <1", "-m pip install 'packaging<1'"),
    ],
)
def test_compare(text, detail, command):
    (finding,) = python_packages.compare(Requirement(text))
    assert detail in finding.detail
    assert (finding.command is None) if command is None else (command in finding.command)


def test_what_football_needs_is_optional_where_nobody_wants_it(monkeypatch):
    wanted = ["hts-tf-nothing>=2; extra == 'football'", "hts-tf-nothing2>=2"]
    monkeypatch.setattr(python_packages.metadata, "requires", lambda _: wanted)
    football, other = python_packages.requirements(has_football=False)
    assert "not installed, optional" in football.detail
    assert not football.is_problem
    assert other.is_problem
    monkeypatch.setattr(python_packages.native_ops, "path", lambda: ROOT / "nowhere")
    assert not python_packages.own_operations(has_football=False).is_problem
    assert python_packages.own_operations().is_problem
