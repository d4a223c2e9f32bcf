"""What environments tell of their episodes is shown wherever scores are."""

import csv
import json
import os
import signal

import numpy as np
import pytest

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.environments import checked
from hts_tf.files.curves import RunLog
from tests import command_line, patience, refusals
from tests.extensions.telling import Telling
from tests.sameness import assert_same, wait_for_rows

pytestmark = pytest.mark.slow

HERE = command_line.ROOT / "tests" / "extensions"
NUM_UPDATES = 8
TELLING = [
    "--scenario=synthetic",
    f"--gin_files={HERE / 'telling.gin'}",
    f"--gin_files={HERE / 'witness.gin'}",
    "--gin_bindings=Trainer.sync_interval = 40",
    f"--gin_bindings=Trainer.total_env_steps = {NUM_UPDATES * 640}",
    "--gin_bindings=Trainer.checkpoint_every_updates = 2",
    command_line.ONE_EXECUTOR,
]


def start(workdir, *flags):
    return command_line.start("hts_tf.train", f"--workdir={workdir}", *flags)


def finish(process):
    code, output, errors = command_line.finish(process)
    assert code == 0, errors
    return output, errors


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("telling") / "run"
    finish(start(workdir, *TELLING))
    return workdir


def episodes(workdir):
    told = map(json.loads, (workdir / "witness.jsonl").read_text().splitlines())
    return [(env_steps, what) for method, env_steps, what in told if method == "after_episode"]


def test_each_episode_has_its_own(trained):
    found = episodes(trained)
    assert len(found) > 200
    for _, (_, _, seed, score, *_, (hits, of_7)) in found:
        assert hits == pytest.approx(16 * score)
        assert of_7 == seed % 7


def test_means_are_shown(trained):
    series = RunLog(trained).series
    ended = episodes(trained)
    for step in (2560, NUM_UPDATES * 640):
        last = [what[-1] for env_steps, what in ended if env_steps <= step][-100:]
        for name, expected in zip(("hits", "seed/of_7"), np.mean(last, axis=0), strict=True):
            assert series[f"episodes/{name}"][step] == pytest.approx(expected)


def test_after_kills_they_are_the_same(trained, tmp_path):
    patience.allow(tmp_path, 5)
    with start(tmp_path, *TELLING, *patience.FLAGS) as process:
        wait_for_rows(tmp_path, 2, process)
        os.kill(executors_of(process.pid)[0], signal.SIGKILL)
        wait_for_rows(tmp_path, 4, process)
        process.send_signal(signal.SIGTERM)
        patience.allow(tmp_path)
        command_line.finish(process)
    finish(start(tmp_path, *TELLING, *patience.FLAGS))
    assert_same(tmp_path, trained, NUM_UPDATES)
    end = NUM_UPDATES * 640
    for name in ("episodes/hits", "episodes/seed/of_7"):
        assert RunLog(tmp_path).series[name][end] == RunLog(trained).series[name][end]


def test_evaluations_have_them(trained, tmp_path):
    table = tmp_path / "table.csv"
    code, output, errors = command_line.run(
        "hts_tf.evaluate",
        f"--workdir={trained}",
        "--modules=tests.extensions",
        "--episodes=5",
        f"--output={table}",
        "--novideo",
    )
    assert code == 0, errors
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["hits"]) for row in rows] == pytest.approx(
        [16 * float(row["score"]) for row in rows]
    )
    assert all(float(row["seed/of_7"]) in range(7) for row in rows)
    assert "\nhits: mean " in output


MEAN_NOTHING = [
    ((1.0,), "the figures are (1.0,), not 2 numbers"),
    ((1.0, 1e300), "the figures are (1.0, 1e+300), which are not finite as float32"),
    (("a", "b"), "the figures are ('a', 'b'), not 2 numbers"),
]


@pytest.mark.parametrize(("tells", "fault"), MEAN_NOTHING)
def test_what_means_nothing_breaks_a_rule(tells, fault):
    game = Telling(episode_steps=1, tells=tells)
    environment, observation = checked.make(game), game.spec.new_observation()
    environment.reset(0, observation)
    with pytest.raises(checked.ProtocolError) as raised:
        environment.step(0, observation)
    assert fault in str(raised.value)


def test_what_means_nothing_ends_the_run(tmp_path):
    tells, fault = MEAN_NOTHING[0]
    process = start(tmp_path, *TELLING, f"--gin_bindings=Telling.tells = {tells}")
    code, _, errors = command_line.finish(process)
    assert code == 1
    assert fault in errors


GYMNASIUM = [
    "--scenario=CartPole-v1",
    "--gin_bindings=Gymnasium.wrappers = ('RecordEpisodeStatistics',)",
    "--gin_bindings=Trainer.total_env_steps = 2048",
    command_line.ONE_EXECUTOR,
]


def test_gymnasium(tmp_path):
    figures = "--gin_bindings=Gymnasium.figures = ('episode/l', 'episode/r')"
    finish(start(tmp_path, *GYMNASIUM, figures))
    series = RunLog(tmp_path).series
    assert series["episodes/episode/l"] == pytest.approx(series["episodes/length"])
    assert series["episodes/episode/r"] == pytest.approx(series["episodes/return"])


def test_what_gymnasium_does_not_tell(tmp_path):
    process = start(tmp_path, *GYMNASIUM, "--gin_bindings=Gymnasium.figures = ('episode/k',)")
    code, _, errors = command_line.finish(process)
    assert code == 1, errors
    assert "the info that ends an episode lacks 'k'" in errors


def test_figures_that_gymnasium_cannot_have(tmp_path):
    faults = {
        "('score',)": "an environment's figure 'score' needs another name",
        "('a', 'a')": "an environment's figure 'a' needs another name",
        "3": "Gymnasium.figures = 3",
    }
    flags = [f"--workdir={tmp_path}", *GYMNASIUM]
    commands = [[*flags, f"--gin_bindings=Gymnasium.figures = {figures}"] for figures in faults]
    results = refusals.of("hts_tf.train", "train", commands)
    for (code, _, errors), fault in zip(results, faults.values(), strict=True):
        assert (code, fault in errors) == (2, True), errors
