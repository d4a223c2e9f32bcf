import csv

import numpy as np

from hts_tf.files.curves import Curve
from hts_tf.watching import learning_curves, tensorboard_log
from tests import command_line


def test_runs_of_the_same_name_are_all_there_and_numbers_in_full(tmp_path):
    workdirs = [tmp_path / name / "seed0" for name in ("long", "short")]
    for workdir, score in zip(workdirs, (0.25, 0.5), strict=True):
        board = tensorboard_log.TensorBoard(workdir)
        episodes = {"episodes/finished": 100, "episodes/score": score, "episodes/return": score}
        board.scalars(1_318_912, {"run/minutes": 1.5, **episodes})
        board.close()
    picture = tmp_path / "curves.png"
    command = ["hts_tf.plot_curves", f"--workdirs={workdirs[0]},{workdirs[1]}", "--targets=0.5"]
    for _ in range(2):  # its own table may be written again
        code, said, errors = command_line.run(*command, f"--output={picture}")
        assert code == 0, errors
    assert said == (
        f"{workdirs[0]}: score 0.5 never\n"
        f"{workdirs[1]}: score 0.5 after 1,318,912 env steps, 1.5 minutes\n"
    )
    with picture.with_suffix(".csv").open() as file:
        assert [row[:3] for row in csv.reader(file)][1:] == [
            [str(workdirs[0]), "1318912", "1.5"],
            [str(workdirs[1]), "1318912", "1.5"],
        ]
    evaluations = workdirs[0] / "evaluations.csv"
    evaluations.write_text("updates,env_steps\n")
    code, _, errors = command_line.run(*command, f"--output={evaluations.with_suffix('.png')}")
    assert code == 2
    assert f"{evaluations} is there, and no table of curves" in errors
    assert evaluations.read_text() == "updates,env_steps\n"


def test_football_has_targets_of_its_own(tmp_path):
    workdirs = [tmp_path / name for name in ("one", "other")]
    command = ["hts_tf.plot_curves", f"--workdirs={workdirs[0]},{workdirs[1]}"]
    for workdir in workdirs:
        board = tensorboard_log.TensorBoard(workdir)
        episodes = {"episodes/finished": 100, "episodes/score": 0.5, "episodes/return": 0.5}
        board.scalars(100, {"run/minutes": 1.5, **episodes})
        board.close()
    for kinds, count in ((["Football", "Football"], 4), (["Football", "Gymnasium"], 0)):
        for workdir, kind in zip(workdirs, kinds, strict=True):
            (workdir / "config.gin").write_text(f"Trainer.environment = @{kind}()\n")
        code, said, errors = command_line.run(*command, f"--output={tmp_path / 'curves.png'}")
        assert code == 0, errors
        assert len(said.splitlines()) == count


def test_every_run_is_in_the_legend(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(learning_curves.picture, "write", lambda path, figure: drawn.append(figure))
    curve = Curve(*(np.array([1.0]) for _ in Curve._fields))
    learning_curves.draw({"_mine": curve, "other": curve}, [], "", tmp_path / "x.png")
    [legend] = drawn[0].legends
    assert [text.get_text().strip() for text in legend.get_texts()] == ["_mine", "other"]
