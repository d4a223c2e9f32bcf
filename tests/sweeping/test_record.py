import pytest

from hts_tf import errors
from hts_tf.sweeping import record
from hts_tf.sweeping.record import COMPLETE, DIVERGED, PRUNED, REFUSED, Outcome, best


def test_what_was_made_to_its_end_comes_first():
    """Where scores are negative, too, and what a trial has not made counts as much."""
    made = [(0, DIVERGED, -0.1), (1, COMPLETE, -9.0), (2, PRUNED, -1.0), (3, COMPLETE, -8.0)]
    outcomes = [Outcome(*each, 0, 0.0, [], []) for each in [*made, (4, REFUSED, 0.0)]]
    assert [outcome.trial for outcome in best(outcomes)] == [3, 1, 0, 2, 4]


def test_what_cannot_be_trained_is_no_best_one(tmp_path):
    refused = Outcome(0, REFUSED, 0.0, 0, 0.0, ["0.1"], [])
    record.write(tmp_path, ["PPO.clip"], [refused])
    assert [path.name for path in tmp_path.iterdir()] == [record.TRIALS]
    record.write(tmp_path, ["PPO.clip"], [refused, Outcome(1, PRUNED, -1.0, 9, 1.0, ["0.2"], [])])
    assert (tmp_path / record.BEST).read_text().endswith("PPO.clip = 0.2\n")


def test_trials_of_which_nothing_says_what_they_are(tmp_path):
    (tmp_path / "trial-0000" / "run").mkdir(parents=True)
    (tmp_path / "trial-0000" / "run" / "config.gin").touch()
    with pytest.raises(errors.ConfigError, match=r"sweep\.json is gone"):
        record.claim(tmp_path, {"draw": 0})


def test_results_are_of_the_trials_that_are_there(tmp_path):
    assert record.made(tmp_path) == 0
    outcomes = [Outcome(number, COMPLETE, 0.5, 10, 1.0, ["0.1"], []) for number in range(3)]
    record.write(tmp_path, ["PPO.clip"], outcomes)
    assert record.made(tmp_path) == 0, "a table of trials that have been removed"
    (tmp_path / "trial-0000" / "run").mkdir(parents=True)
    (tmp_path / "trial-0000" / "run" / "config.gin").touch()
    assert record.made(tmp_path) == 3
