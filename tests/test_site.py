"""The documentation: a site without warnings, whose commands exist as it says."""

import ast
import dataclasses
import functools
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import gin
import pytest

from hts_tf import completion, config, configurables, settings  # noqa: F401  gin configurables
from hts_tf.algorithms.ppo import PPO
from tests import command_line

ROOT = command_line.ROOT
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LAUNCHERS = {
    "train.sh": "train",
    "cluster.sh": "train",
    "compare.sh": "compare",
    "sweep.sh": "sweep",
}

BEFORE = {"PPO.recompute_values"}  # of earlier versions, that results are of


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra 'docs' is not installed")
def test_the_site_is_built_without_warnings(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={tmp_path}"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    for page, word in [
        ("index.html", "Quick start"),
        ("api/environments/index.html", "StepResult"),
        ("api/python/index.html", "LoadedPolicy"),
        ("results/index.html", "academy_empty_goal_close"),
    ]:
        assert word in (tmp_path / page).read_text()
    assert "sync point" in (tmp_path / "search" / "search_index.json").read_text()
    # Nothing is fetched from elsewhere by who opens a page.
    text = (tmp_path / "index.html").read_text()
    assert not re.findall(r'<(?:script|link)[^>]+(?:src|href)="https?://(?!squidfunk)[^"]+"', text)


@functools.cache
def flags_of(module):
    """Names of the flags that a command has."""
    text = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    in_a_table = re.findall(
        r"\(\"(\w+)\", flags\.DEFINE_\w+,", text.read_text() if text.exists() else ""
    )
    return {flag.name for flag in completion.flags_of(module)} | {*in_a_table}


def commands(page):
    """Commands of a page's shell blocks, each as its words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        for part in re.split(r"; (?:do )?|&& ", line.partition("   #")[0].partition(" # ")[0]):
            words = shlex.split(part, comments=True)
            if words and words[0] == "do":
                words = words[1:]
            if words:
                yield words


def ours(page):
    """(module, its arguments) of the commands of a page that are this package's."""
    for words in commands(page):
        if words[0].startswith("./launch/"):
            launcher = Path(words[0]).name
            assert (ROOT / words[0]).exists(), words
            if launcher == "benchmark.sh" and len(words) > 1:
                yield f"hts_tf.benchmarks.{words[1]}", words[2:]
            elif launcher in LAUNCHERS:
                yield f"hts_tf.{LAUNCHERS[launcher]}", words[1:]
        elif "-m" in words and words[words.index("-m") + 1].startswith("hts_tf"):
            at = words.index("-m") + 1
            yield words[at], words[at + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_flags_exist(page):
    for module, arguments in ours(page):
        known = flags_of(module)
        for argument in arguments:
            if argument.startswith("--"):
                name = argument[2:].partition("=")[0]
                assert name in known or name.removeprefix("no") in known, (module, argument)


def bindings(page):
    """Bindings that a page types, or names in code: `Name.parameter`."""
    text = page.read_text()
    yield from re.findall(r"--gin_bindings=[\"']([A-Z]\w+\.\w+) ?=", text)
    yield from re.findall(
        r"`((?:Trainer|PPO|A2C|Football|Gymnasium|ActorCritic|Opponents|Compute"
        r"|Curriculum|Tasks|PettingZoo)\.[a-z]\w*)",
        text,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_bindings_exist(page):
    known = {}
    for selector, made in configurables._made.items():
        known[selector.rpartition(".")[2]] = set(configurables.annotations(made))
    for binding in bindings(page):
        name, _, parameter = binding.partition(".")
        if name in known and binding not in BEFORE:  # else of the page's own example
            assert parameter in known[name], binding


PRESETS = {  # column of the table -> a scenario that starts from it
    "football": "academy_corner",
    "`general.gin`": "FrozenLake-v1",
    "`classic_control.gin`": "Acrobot-v1",
    "`mujoco.gin`": "HalfCheetah-v5",
    "`atari.gin`": "ALE/Pong-v5",
    "`box2d.gin`": "LunarLander-v3",
}


@pytest.mark.usefixtures("clean_gin")
def test_the_table_of_ppos_numbers_is_right():
    section = (ROOT / "docs/settings.md").read_text().partition("\n### PPO\n")[2].split("\n### ")[0]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    head, _, *rows = table
    assert head[1:-1] == [*PRESETS]
    for column, scenario in enumerate(PRESETS.values(), 1):
        config.load(scenario, "hts_ppo")
        defaults = {field.name: field.default for field in dataclasses.fields(PPO)}
        shown = {row[0].strip("`"): ast.literal_eval(row[column].strip("`")) for row in rows}
        bound = {**defaults, **gin.get_bindings("PPO")}
        assert shown == {f"PPO.{name}": value for name, value in bound.items()}


def test_the_tests_above_find_something():
    assert sum(len(list(ours(page))) for page in PAGES) > 60
    assert sum(len(list(bindings(page))) for page in PAGES) > 150
    assert {"workdir", "modules", "episodes", "checkpoint"} <= flags_of("hts_tf.evaluate")
