"""A workdir that somebody hands over: what its configuration asks for is not done."""

import importlib
import sys

import numpy as np
import pytest

from hts_tf import config, errors
from hts_tf.files import archive, checkpoint
from hts_tf.report import origin
from tests import command_line, comparisons

MODULE = "handed_over"
BINDINGS = "Trainer.environment = @Synthetic()\nActorCritic.torso = @mlp\n"

# What it asks for; what the refusal names.
HOSTILE = [
    (f"import {MODULE}", f"imports {MODULE}, which may do anything"),
    (f"import {MODULE}.part", f"--modules={MODULE}.part"),
    (f"from {MODULE} import part", f"--modules={MODULE}.part"),
    (f"import {MODULE} as hts_tf", f"--modules={MODULE}"),
    (f"  import {MODULE}", MODULE),
    (f"mlp.units = (\n1,)\nimport \\\n{MODULE}", MODULE),
    (f"mlp:\n  units = (1,)\nimport {MODULE}", MODULE),
    ("import os", "--modules=os"),
    ("import hts_tf_like", "--modules=hts_tf_like"),
    ("include 'more.gin'", "include 'more.gin'"),
    ("include '/etc/passwd'", "include '/etc/passwd'"),
    (
        "from __gin__ import dynamic_registration\nimport hts_tf.config\n"
        f"Trainer.num_envs = @hts_tf.config.importlib.import_module()\n"
        f"hts_tf.config.importlib.import_module.name = '{MODULE}'",
        "may not import __gin__.dynamic_registration",
    ),
    (f"Trainer.num_envs = @importlib.import_module()\nimport {MODULE}", MODULE),
    ("import hts_tf.nowhere", "No module named 'hts_tf.nowhere'"),
    ("import hts_tf.train\nimport hts_tf.evaluate", "hts_tf"),  # both define --workdir
    ("mlp.units = (", "damaged"),
    ("\0", "damaged"),
]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A directory with a module that leaves a file where it is imported."""
    directory = tmp_path / "path"
    (directory / MODULE).mkdir(parents=True)
    for name in ("__init__", "part"):
        (directory / MODULE / f"{name}.py").write_text(f"open({str(tmp_path / 'done')!r}, 'w')")
    (directory / "more.gin").write_text(f"import {MODULE}\n")
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.chdir(directory)
    importlib.invalidate_caches()
    yield directory
    for name in [name for name in sys.modules if name.partition(".")[0] == MODULE]:
        del sys.modules[name]


@pytest.mark.parametrize("load", [config.load_text, config.environment_in])
@pytest.mark.parametrize(("asks", "says"), HOSTILE)
def test_what_is_not_trusted_is_refused_by_name(module, tmp_path, clean_gin, load, asks, says):
    importlib.import_module("hts_tf.settings")
    with pytest.raises(errors.ConfigError) as error:
        load(f"{asks}\n{BINDINGS}", "runs/theirs/config.gin", ["mine", "hand", f"{MODULE}_too"])
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert says in message
    assert "runs/theirs/config.gin" in message or "damaged" in message
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("trusted", [MODULE, f"{MODULE}.part"])
@pytest.mark.parametrize("load", [config.load_text, config.environment_in])
def test_what_the_user_names_is_imported(module, tmp_path, clean_gin, load, trusted):
    importlib.import_module("hts_tf.settings")
    load(f"import {MODULE}.part\n{BINDINGS}", "config.gin", ["mine", trusted])
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("load", [config.load_text, config.environment_in])
def test_a_trusted_module_that_cannot_be_imported(module, clean_gin, load):
    (module / "broken.py").write_text("1 / 0")
    for name, says in [("broken", "ZeroDivisionError: division by zero"), ("gone", "No module")]:
        with pytest.raises(errors.ConfigError, match=f"config.gin imports {name}: {says}"):
            load(f"import {name}\n{BINDINGS}", "config.gin", [name])


@pytest.fixture
def workdir(module, tmp_path):
    """One whose configuration asks for the module, and that is whole otherwise."""
    path = tmp_path / "runs" / "synthetic-hts_ppo-seed0"
    path.mkdir(parents=True)
    total = "Trainer.total_env_steps = 16\n"
    (path / "config.gin").write_text(f"# --seed = 0\nimport {MODULE}\n{BINDINGS}{total}")
    file = archive.Archive(path / "episodes.bin", 0)
    file.append([archive.Record(0, 0, 2, 0, 0.0, 0.0, bytes(16))])
    file.close()
    state = {"run/updates": np.array(1), "run/env_steps": np.array(16)}
    checkpoint.save(path / "checkpoints", 1, state, keep=1)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (["hts_tf.evaluate", "--workdir={}"], True),
        (["hts_tf.replay", "--workdir={}", "--check_only"], True),
        (["hts_tf.replay", "--workdir={}", "--list"], True),
        (["hts_tf.train", "--workdir={}", "--scenario=synthetic"], True),
        (["hts_tf.compare_runs", "{}", "{}"], False),
        (["hts_tf.compare", "--output={}/..", "--scenarios=synthetic", "--methods=hts_ppo"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_no_command_does_what_it_asks_for(module, workdir, tmp_path, command, refused):
    name, *arguments = (argument.format(workdir, workdir) for argument in command)
    code, _, text = command_line.run(name, *arguments, pythonpath=[module])
    assert code != 0
    assert "Traceback" not in text
    assert not (tmp_path / "done").exists()
    if refused:
        assert code == 2
        assert MODULE in text.splitlines()[-1]


@pytest.mark.slow
def test_a_report_does_not(module, workdir, tmp_path):
    runs = [comparisons.run("hts_ppo", [0.5, 0.6], scenario="synthetic")]
    comparisons.write(workdir.parent, runs)
    page = tmp_path / "page.html"
    flags = [f"--comparison={workdir.parent}", f"--output={page}", "--targets=0.4"]
    code, _, text = command_line.run("hts_tf.report", *flags, pythonpath=[module])
    assert code == 0, text
    assert origin.describe([workdir.parent], runs)["Trainer.total_env_steps"] == ["16"]
    assert "Trainer.total_env_steps" in page.read_text()
    others = [comparisons.run("ppo", [0.5, 0.6], scenario="synthetic")]
    assert origin.describe([workdir.parent], others) == {}, "of runs that are not compared"
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize(
    "asks",
    [
        f"Gymnasium.id = '{MODULE}:Game-v0'",
        f"Gymnasium.id = '{MODULE}.part:Game-v0'",
        f"Gymnasium.id = 'CartPole-v1'\nGymnasium.wrappers = ['{MODULE}:Wrapper']",
        f"Gymnasium.id = 'CartPole-v1'\nGymnasium.wrappers = [('{MODULE}.part:Wrapper', {{}})]",
        f"Gymnasium.id = 'CartPole-v1'\nGymnasium.kwargs = {{'entry_point': '{MODULE}:Game'}}",
        "Gymnasium.id = 'CartPole-v1'\n"
        f"Gymnasium.wrappers = [('TimeLimit', {{'max_episode_steps': '{MODULE}:x'}})]",
    ],
)
@pytest.mark.parametrize("load", [config.load_text, config.environment_in])
def test_environments_and_wrappers_import_nothing_by_themselves(
    module, tmp_path, clean_gin, load, asks
):
    importlib.import_module("hts_tf.settings")
    text = f"{asks}\nTrainer.environment = @Gymnasium()\nActorCritic.torso = @mlp\n"
    with pytest.raises(errors.ConfigError, match=f"names {MODULE}.*is not imported") as error:
        load(text, "config.gin", ["mine"])
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "done").exists()
    # The line that it asks for is one that has to be trusted.
    with pytest.raises(errors.ConfigError, match=f"--modules={MODULE}"):
        load(f"import {MODULE}.part\n{text}", "config.gin", ["mine"])
    assert not (tmp_path / "done").exists()
