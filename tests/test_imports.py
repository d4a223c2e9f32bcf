"""Imports between the rooms of the package go one way, and none go in a circle."""

import ast
import collections
import functools
import graphlib
import re
from pathlib import Path

import pytest

import hts_tf

PACKAGE = Path(hts_tf.__file__).parent

# From the ground up: a room imports only from rooms above it in this list, as in docs/design.md.
FLOORS = [
    {"errors", "trees", "values"},
    {"specs", "seeding", "configurables", "team"},
    {"rollouts"},
    {"system", "bindings", "operative", "gin_errors"},
    {"differences"},
    {"environments"},
    {"presets"},
    {"networks", "config", "football"},
    {"algorithms"},
    {"collecting"},
    {"learner"},
    {"schedules", "opponents", "curriculum", "observers"},
    {"settings"},
    {"files"},
    {"watching"},
    {"run_state", "run_scope"},
    {"pipeline", "plan"},
    {"evaluator", "confidence", "comparison", "trainings", "calling", "standings"},
    {"build", "candidates", "measurements", "round_robin", "loading"},
    {"machines"},
    {"examining"},
    {
        "train",
        "evaluate",
        "replay",
        "compare",
        "compare_runs",
        "doctor",
        "check_environment",
        "tournament",
        "league",
        "export",
        "publish",
        "evaluating",
        "play",
    },
    {"plot_curves", "plot_timeline", "report", "benchmarks", "dashboard"},
    {"sweeping"},
    {"sweep"},
    {"completion"},
    {"commands"},
]
ROLES = [("collecting", "executor"), ("collecting", "actor"), ("learner",)]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules():
    """Name within the package, as a tuple -> path; of what is not a package's face."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    return {path.relative_to(PACKAGE).with_suffix("").parts: path for path in paths}


def imports(path, known):
    """Modules of the package that one imports, wherever in its text."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for top, *parts in (name.split(".") for name in names):
            if top == "hts_tf":
                found |= {tuple(parts), tuple(parts[:-1])} & known
    return found


@functools.cache
def graph():
    known = modules()
    return {module: imports(path, known.keys()) for module, path in known.items()}


def test_every_room_is_in_the_list():
    assert {module[0] for module in modules()} == FLOOR.keys()


@pytest.mark.parametrize("page", ["README.md", "docs/design.md"])
def test_every_folder_is_on_the_pages_that_list_them(page):
    text = (PACKAGE.parent / page).read_text()
    folders = {module[0] for module in modules() if len(module) > 1}
    assert [folder for folder in folders if f"{folder}/" not in text] == []


def test_no_import_goes_upwards():
    upwards = [
        (".".join(module), ".".join(imported))
        for module, imports_ in graph().items()
        for imported in imports_
        if module[0] != imported[0] and FLOOR[imported[0]] >= FLOOR[module[0]]
    ]
    assert upwards == []


def test_no_modules_import_each_other_in_a_circle():
    graphlib.TopologicalSorter(graph()).prepare()  # raises CycleError


@pytest.mark.parametrize("role", ROLES)
def test_roles_do_not_import_each_other(role):
    """They meet in buffers and storages."""
    found = graph()
    loaded, waiting = set(), [role]
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        waiting += found[module] - loaded
    assert loaded & set(ROLES) == {role}


def test_the_check_sees_imports():
    found = graph()
    assert ("collecting", "executor") in found["collecting", "workers"]
    assert ("environments", "football", "view") in found["environments", "football", "football"]
    assert ("system", "quiet_tensorflow") in found["train",]


def test_no_two_files_of_tests_share_a_name():
    """pytest imports each by its name alone, without its folders'."""
    names = collections.Counter(path.name for path in Path(__file__).parent.rglob("*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_test_module_imports_another():
    """What they share is in modules of its own."""
    found = {
        path.name: re.findall(r"^\s*(?:from|import) tests\b.*\btest_\w+", path.read_text(), re.M)
        for path in Path(__file__).parent.rglob("*.py")
    }
    assert {name: lines for name, lines in found.items() if lines} == {}
