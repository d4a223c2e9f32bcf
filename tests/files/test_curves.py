import numpy as np
import pytest

from hts_tf.files.curves import Curve, RunLog, read_curve
from hts_tf.files.episodes import WINDOW
from hts_tf.watching import tensorboard_log


def write(workdir, rounds):
    """Writes an event file as the trainer does: a list of (env steps, minutes, finished, score)."""
    board = tensorboard_log.TensorBoard(workdir)
    for env_steps, minutes, finished, score in rounds:
        scalars = {"run/minutes": minutes, "throughput/sps": 100.0}
        if finished:
            scalars |= {
                "episodes/finished": finished,
                "episodes/score": score,
                "episodes/return": 2 * score,
            }
        board.scalars(env_steps, scalars)
    return board


def test_the_curve_begins_with_the_first_finished_episode(tmp_path):
    log = RunLog(tmp_path)
    assert (log.env_steps, log.minutes) == (0, 0.0)
    assert len(log.curve().env_steps) == 0
    board = write(tmp_path, [(64, 1.0, 0, 0.0), (128, 2.0, 3, 0.25), (192, 3.0, 5, 0.5)])
    assert log.read()
    assert not log.read()
    board.close()
    assert (log.env_steps, log.minutes) == (192, 3.0)
    curve = log.curve()
    for field, expected in zip(
        Curve._fields, [[128, 192], [2.0, 3.0], [3, 5], [0.25, 0.5], [0.5, 1.0]], strict=True
    ):
        np.testing.assert_array_equal(getattr(curve, field), expected, field)
    for column, again in zip(curve, read_curve(tmp_path), strict=True):
        np.testing.assert_array_equal(column, again)


def test_a_curve_that_grows_is_what_it_is_when_it_is_read_at_once(tmp_path):
    """Also where the last update has as many env steps as the one before."""
    log = RunLog(tmp_path)
    for made in [(64, 1.0, 0, 0.0), (128, 2.0, 3, 0.25), (192, 3.0, 5, 0.5), (192, 4.0, 6, 0.75)]:
        write(tmp_path, [made]).close()
        assert log.read()
        for column, again in zip(log.curve(), RunLog(tmp_path).curve(), strict=True):
            np.testing.assert_array_equal(column, again)
            assert column.dtype == again.dtype
    assert log.curve().env_steps.tolist() == [128, 192]
    assert log.curve().minutes.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("target", [0.35, 0.4, 0.7, 0.8, 0.9, 0.95])
def test_a_target_is_reached_with_the_very_score(target, tmp_path):
    """Some are less as float32, which event files have, and some more."""
    write(tmp_path, [(64, 1.0, WINDOW, target - 0.01), (128, 2.0, WINDOW, target)]).close()
    curve = read_curve(tmp_path)
    assert curve.first_reached(target) == (128, 2.0)
    assert curve._replace(score=curve.score.round(2)).first_reached(target) == (128, 2.0)
    assert curve.first_reached(target + 0.01) is None


def test_whether_a_run_has_come_to_its_end(tmp_path):
    """Of earlier versions, which did not tell, it is not known that it has not."""
    write(tmp_path, [(64, 1.0, 3, 0.25)]).close()
    log = RunLog(tmp_path)
    assert not log.is_cut_short
    for has_ended in (False, True, False):
        board = tensorboard_log.TensorBoard(tmp_path)
        board.restart(128)
        if has_ended:
            board.end(128)
        board.close()
        log.read()
        assert log.is_cut_short == RunLog(tmp_path).is_cut_short == (not has_ended)
    assert log.env_steps == 64


def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path):
    write(tmp_path, [(step, step / 64, step, 0.5) for step in (64, 128, 192, 256)]).close()
    log = RunLog(tmp_path)
    assert log.env_steps == 256
    board = tensorboard_log.TensorBoard(tmp_path)
    board.restart(128)
    assert log.read()
    assert (log.env_steps, log.minutes) == (128, 2.0)
    board.close()
    board = write(tmp_path, [(192, 8.0, 192, 0.25)])
    for seen in (log, RunLog(tmp_path)):
        seen.read()
        assert (seen.env_steps, seen.minutes) == (192, 8.0)
        curve = seen.curve()
        assert curve.env_steps.tolist() == [64, 128, 192]
        assert curve.minutes.tolist() == [1.0, 2.0, 8.0]
        assert curve.score.tolist() == [0.5, 0.5, 0.25]
        assert list(seen.series["throughput/sps"]) == [64, 128, 192]
    board.close()


def test_what_began_after_the_checkpoint_is_forgotten_whole(tmp_path):
    board = write(tmp_path, [(step, step / 64, step, 0.5) for step in (64, 128)])
    board.restart(0)
    board.close()
    log = RunLog(tmp_path)
    assert log.series == {}
    assert (log.env_steps, log.minutes) == (0, 0.0)


def test_no_finished_episodes(tmp_path):
    write(tmp_path, [(64, 1.0, 0, 0.0)]).close()
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_curve(tmp_path)


def test_a_target_takes_a_whole_window_of_episodes():
    def curve(finished, scores):
        steps = np.arange(1, len(scores) + 1)
        return Curve(10 * steps, steps / 2, np.array(finished), np.array(scores), np.array(scores))

    scores = [0.9, 0.9, 0.3, 0.4]
    finished = [WINDOW - 1, WINDOW, WINDOW + 50, WINDOW + 60]
    assert curve(finished, scores).first_reached(0.8) == (20, 1.0)
    assert curve(finished, scores).first_reached(0.95) is None
    assert curve([1, 2, 3, WINDOW], scores).first_reached(0.4) == (40, 2.0)
    assert curve([1, 2, 3, 4], scores).first_reached(0.4) is None
    assert curve([], []).first_reached(0.4) is None
