"""The tab of TensorBoard: what it asks for is what the runs hold."""

import base64
import io
import json
import math
import re
from importlib.metadata import entry_points
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from werkzeug.test import Client

from hts_tf.dashboard.plugin import EpisodesPlugin
from hts_tf.files import archive
from hts_tf.files.workdir import Workdir
from tests import command_line
from tests.command_line import SMALL_FOOTBALL
from tests.environments.gymnasiums import tiny

HERE = command_line.ROOT / "tests" / "extensions"
SMALL = [
    "--gin_bindings=Trainer.sync_interval = 32",
    "--gin_bindings=Trainer.total_env_steps = 2048",
    command_line.ONE_EXECUTOR,
]
RUNS = {
    "football": SMALL_FOOTBALL,
    "deep/CartPole": ["--scenario=CartPole-v1", *SMALL],
    "loud": [f"--scenario={tiny.NAME}:Nested-v0", *SMALL],
}
# Of what cannot be shown, an episode that nobody has played will do.
OTHERS = {
    "synthetic": "import hts_tf.environments.synthetic\nTrainer.environment = @Synthetic()\n",
    "stubborn": (HERE / "stubborn.gin").read_text(),
}


class Tab:
    """What a browser sees of it."""

    def __init__(self, logdir):
        self.plugin = EpisodesPlugin(SimpleNamespace(logdir=str(logdir)))
        self._apps = self.plugin.get_plugin_apps()

    def get(self, what, **parameters):
        return Client(self._apps[f"/{what}"]).get("/", query_string=parameters)

    def ask(self, what, **parameters):
        answer = self.get(what, **parameters)
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return json.loads(answer.text)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("logs")
    started = [
        command_line.start("hts_tf.train", f"--workdir={directory / name}", *flags)
        for name, flags in RUNS.items()
    ]
    for process in started:
        code, _, errors = command_line.finish(process)
        assert code == 0, errors
    for name, configuration in OTHERS.items():
        (directory / name).mkdir()
        (directory / name / "config.gin").write_text(f"# --seed = 0\n{configuration}")
        file = archive.Archive(directory / name / archive.FILE_NAME, 0)
        file.append([archive.Record(0, 0, 2, 0, 1.0, 1.0, bytes(3))])
        file.close()
    return directory


def test_nothing_to_show(tmp_path):
    for directory in (tmp_path, tmp_path / "nowhere", ""):
        tab = Tab(directory)
        assert not tab.plugin.is_active()
        assert tab.ask("runs") == []


def test_workdirs_may_be_linked(tmp_path):
    elsewhere, logs = tmp_path / "elsewhere", tmp_path / "logs"
    elsewhere.mkdir()
    logs.mkdir()
    (elsewhere / archive.FILE_NAME).touch()
    (logs / "run").symlink_to(elsewhere)
    assert Tab(logs).ask("runs") == ["run"]
    (elsewhere / "around").symlink_to(elsewhere)
    assert "run" in Tab(logs).ask("runs")


def test_tensorboard_finds_it():
    (found,) = (e for e in entry_points(group="tensorboard_plugins") if e.name.startswith("hts_tf"))
    assert found.load() is EpisodesPlugin
    plugin = EpisodesPlugin(SimpleNamespace(logdir="x"))
    assert plugin.frontend_metadata().es_module_path in plugin.get_plugin_apps()


def test_the_script():
    answer = Tab("x").get("index.js")
    assert answer.content_type.startswith("text/javascript")
    assert "export async function render()" in answer.text


@pytest.mark.slow
def test_episodes(logdir):
    tab = Tab(logdir)
    assert tab.plugin.is_active()
    assert tab.ask("runs") == sorted([*RUNS, *OTHERS])
    columns = tab.ask("episodes", run="deep/CartPole")
    records = archive.read(logdir / "deep/CartPole" / archive.FILE_NAME)
    assert columns["score"] == pytest.approx([record.score for record in records])
    assert columns["length"] == [record.length for record in records]
    assert columns["env"] == [record.env for record in records]
    assert columns["update"] == [record.update for record in records]
    assert len({len(column) for column in columns.values()}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("run", ["football", "deep/CartPole"])
def test_an_episode_is_played_again(logdir, run):
    records = archive.read(logdir / run / archive.FILE_NAME)
    number = max(range(len(records)), key=lambda n: -records[n].length)
    record = records[number]
    tab = Tab(logdir)
    played = tab.ask("played", run=run, episode=number)
    assert played["differs"] == []
    assert played["seed"] == record.seed
    assert len(played["steps"]) == 1 + record.length
    last = played["steps"][-1]
    assert last["score"] == pytest.approx(record.score)
    assert last["return"] == pytest.approx(record.episode_return)
    assert last["ending"] in ("terminated", "time limit")
    if run == "football":
        scene = last["scene"]
        assert len(scene["left_team"]) == 2
        assert all(math.hypot(*where) < 1.5 for where in scene["left_team"])
        assert played["steps"][0]["scene"]["ball"] != scene["ball"]
    else:
        picture = Image.open(io.BytesIO(base64.b64decode(last["picture"])))
        assert picture.width <= 480 and len(picture.getcolors(1 << 20)) > 2

    judged = tab.ask("judged", run=run, episode=number)
    assert len(judged["values"]) == len(judged["probabilities"]) == record.length
    np.testing.assert_allclose(np.sum(judged["probabilities"], axis=1), 1.0, atol=2e-3)
    assert judged["chosen"] == np.frombuffer(record.actions, f"u{record.action_bytes}").tolist()
    assert judged["policy"] == str(Workdir(logdir / run).newest()["run/updates"])


TEAM = """
Trainer.environment = @Football()
Football.scenario = 'academy_3_vs_1_with_keeper'
Football.representation = 'simple115v2'
Football.left_players = 2
"""


@pytest.mark.slow
def test_what_each_player_of_a_team_has_done(tmp_path):
    workdir = tmp_path / "team"
    workdir.mkdir()
    (workdir / "config.gin").write_text(f"# --seed = 0\n{TEAM}")
    file = archive.Archive(workdir / archive.FILE_NAME, 0)
    actions = bytes([5, 0, 0, 7])  # in two env steps
    file.append([archive.Record(0, 0, 2, 0, 1.0, 1.0, actions, action_bytes=2)])
    file.close()
    steps = Tab(tmp_path).ask("played", run="team", episode=0)["steps"]
    told = [re.sub(r"\d+", "N", step["action"]) for step in steps]
    assert told == ["", "N right, N idle", "N idle, N bottom"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "series", "length"), [("played", "steps", 10), ("judged", "values", 9)]
)
def test_an_environment_that_prints_and_has_several_choices_at_a_time(logdir, what, series, length):
    """What it prints is no answer, and of its choices there are no probabilities."""
    flags = [f"--workdir={logdir / 'loud'}", "--episode=0", f"--modules={tiny.NAME}"]
    code, said, errors = command_line.run(f"hts_tf.dashboard.{what}", *flags)
    assert code == 0, errors
    assert "3" in errors.splitlines()
    [answer] = said.splitlines()
    told = json.loads(answer)
    assert len(told[series]) == length
    assert not told.get("probabilities")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "parameters", "says"),
    [
        ("episodes", {"run": "nowhere"}, "there is no run 'nowhere'"),
        ("episodes", {"run": "../logs0/football"}, "there is no run"),
        ("episodes", {}, "there is no run ''"),
        ("played", {"run": "football", "episode": "x"}, "an episode is a number, not 'x'"),
        ("played", {"run": "football", "episode": "-1"}, "an episode is a number, not '-1'"),
        ("played", {"run": "football", "episode": "99999"}, "--episode=99999: there are "),
        ("played", {"run": "synthetic", "episode": "0"}, "Synthetic has no pictures"),
        ("played", {"run": "stubborn", "episode": "0"}, "imports tests.extensions.stubborn, which"),
    ],
)
def test_what_cannot_be_shown(logdir, what, parameters, says):
    assert says in Tab(logdir).ask(what, **parameters)["error"]


@pytest.mark.slow
def test_what_cannot_be_judged(logdir):
    flags = [f"--workdir={logdir / 'stubborn'}", "--episode=0"]
    code, said, errors = command_line.run("hts_tf.dashboard.judged", *flags)
    assert code == 2, errors
    assert "imports tests.extensions.stubborn, which" in errors
    assert not said
