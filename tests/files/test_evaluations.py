"""The table of evaluations, and the best policy."""

from types import SimpleNamespace

import pytest

from hts_tf import errors
from hts_tf.files import checkpoint
from hts_tf.files.evaluations import FILE_NAME, Evaluation, Evaluations

HEAD = "updates,env_steps,episodes,score,episode_return,length\n"


class Agent:
    """As much of an agent as is written."""

    step = SimpleNamespace(observation="anything", action="anything")
    variables = ()

    @staticmethod
    def _flatten_layers(include_self):
        return ()


def evaluated(evaluations, updates, score, episode_return=0.0, episodes=5):
    path = evaluations.add(Agent, updates, 100 * updates)
    evaluations.end(path, Evaluation(updates, 100 * updates, episodes, score, episode_return, 7.5))


@pytest.mark.parametrize(
    ("results", "best"),
    [
        ([(1, 0.5), (2, 0.25)], 1),
        ([(1, 0.5), (2, 0.75)], 2),
        ([(1, 0.5), (2, 0.5)], 2),  # as good, and has learned more
        ([(1, 0.5, 3.0), (2, 0.5, 2.0)], 1),
        ([(1, -1.0)], 1),
        ([(1, 0.5), (2, 0.75), (1, 0.5), (2, 0.75)], 2),  # killed, and made again
        ([(1, 0.5), (2, 0.75), (1, 0.5), (2, 0.25)], 2),  # the same, but unrepeatable
        ([(1, 0.5), (2, 0.75), (1, 0.8)], 1),
    ],
)
def test_the_best_one_stays(tmp_path, results, best):
    evaluations = Evaluations(tmp_path)
    assert evaluations.best_state() is None
    for result in results:
        evaluated(evaluations, *result)
    assert evaluations.waiting() == []
    assert evaluations.best_state()["run/updates"] == best
    assert [p.stem for p in (tmp_path / "checkpoints" / "best").iterdir()] == [f"{best:09d}"]


def test_the_best_one_is_of_as_many_episodes_as_the_last(tmp_path):
    """A lucky one of few is no measure for those of many."""
    evaluations = Evaluations(tmp_path)
    evaluated(evaluations, 1, 0.95, episodes=5)
    for updates, score in ((2, 0.9), (3, 0.8)):
        evaluated(evaluations, updates, score, episodes=500)
        assert evaluations.best_state()["run/updates"] == 2


def test_a_damaged_one_is_passed_over(tmp_path, capfd):
    """The training goes on, whatever has become of it."""
    evaluations = Evaluations(tmp_path)
    evaluated(evaluations, 1, 0.75)
    [file] = (tmp_path / "checkpoints" / "best").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert evaluations.best_state() is None
    assert "000000001.ckpt is damaged; passed over" in capfd.readouterr().err
    evaluated(evaluations, 2, 0.5)
    assert evaluations.best_state()["run/updates"] == 2
    assert not file.exists()


def test_a_better_one_takes_the_place_of_the_best_while_that_is_read(tmp_path, monkeypatch):
    evaluations, load = Evaluations(tmp_path), checkpoint.load
    assert evaluations.best_state() is None
    evaluated(evaluations, 1, 0.5)

    def too_late(path):
        monkeypatch.setattr(checkpoint, "load", load)
        evaluated(evaluations, 2, 0.75)
        return load(path)

    monkeypatch.setattr(checkpoint, "load", too_late)
    assert evaluations.best_state()["run/updates"] == 2


@pytest.mark.parametrize("scores", [(0.5, 0.75), (0.75, 0.5)])
def test_who_is_killed_before_the_worse_one_is_removed(tmp_path, scores):
    evaluations, best = Evaluations(tmp_path), tmp_path / "checkpoints" / "best"
    evaluated(evaluations, 1, scores[0])
    first = (best / "000000001.ckpt").read_bytes()
    (best / "000000001.ckpt").unlink()
    evaluated(evaluations, 2, scores[1])
    (best / "000000001.ckpt").write_bytes(first)
    assert evaluations.best_state()["run/updates"] == 1 + (scores[1] > scores[0])


def test_the_table(tmp_path):
    evaluations = Evaluations(tmp_path)
    assert evaluations.read() == []
    for updates, score in ((1, 0.1), (2, 1 / 3), (1, 0.2)):
        evaluated(evaluations, updates, score)
    expected = [Evaluation(1, 100, 5, 0.2, 0.0, 7.5), Evaluation(2, 200, 5, 1 / 3, 0.0, 7.5)]
    assert evaluations.read() == expected


@pytest.mark.parametrize(
    "damage", ["updates\n1,2,3\n", "\n", HEAD + "1,2,3,x,5,6\n", HEAD + "1,2\n"]
)
def test_a_damaged_table_is_named(tmp_path, damage):
    (tmp_path / FILE_NAME).write_text(damage)
    with pytest.raises(errors.ConfigError, match=FILE_NAME):
        Evaluations(tmp_path).read()


def test_who_waits_is_in_order(tmp_path):
    evaluations = Evaluations(tmp_path)
    paths = [evaluations.add(Agent, updates, 0) for updates in (3, 12, 7)]
    assert evaluations.waiting() == [paths[0], paths[2], paths[1]]
    evaluations.drop(paths[2])
    assert evaluations.waiting() == [paths[0], paths[1]]
