import itertools
from pathlib import Path

import numpy as np
import pytest

from hts_tf import errors
from hts_tf.comparison import Run
from hts_tf.files import workdir
from hts_tf.sweeping import making, space
from hts_tf.sweeping.record import COMPLETE, DIVERGED, REFUSED, UNFINISHED
from hts_tf.sweeping.study import MARKS, Study
from hts_tf.system.child import ChildError
from hts_tf.watching import tensorboard_log


class Ending:
    """A training that has made half of its env steps when it is first looked at, and ended."""

    made = 500

    def __init__(self, module, arguments, log):
        board = tensorboard_log.TensorBoard(log.parent)
        for env_steps in range(100, self.made + 1, 100):
            scores = {"episodes/finished": env_steps, "episodes/score": 0.8, "episodes/return": 0.8}
            board.scalars(env_steps, {"run/minutes": 1.0, **scores})
        board.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def has_ended(self):
        return True


class Diverging(Ending):
    def has_ended(self):
        raise ChildError("update 5 made parameters that are not finite", 3)


class NotAgain:
    """A training that nobody is to begin."""

    def __init__(self, module, arguments, log):
        raise AssertionError(f"{log.parent} was begun again")


class DivergingAtLast(Diverging):
    """In the update after the last env step."""

    made = 1000


class Elsewhere(Ending):
    """A training that has ended well, in another directory."""

    def __init__(self, module, arguments, log):
        pass


def test_a_training_that_leaves_nothing_here_is_no_result(tmp_path):
    plan = making.Plan(tmp_path, [Run("hts_ppo", "synthetic", 0)], [1000], None, [], [])
    trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
    with pytest.raises(ChildError, match="there is nothing of it in"):
        list(making.make(plan, trial, Elsewhere))


def test_trainings_are_given_absolute_paths(tmp_path, monkeypatch):
    """As a node of a cluster begins them in a directory of its own."""
    told = []

    class Told(Ending):
        def __init__(self, module, arguments, log):
            told.extend(argument.partition("=")[2] for argument in arguments)
            super().__init__(module, arguments, log)

    monkeypatch.chdir(tmp_path)
    runs = [Run("hts_ppo", "synthetic", 0)]
    plan = making.Plan(Path("sweep"), runs, [1000], None, ["my.gin"], [])
    trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
    list(making.make(plan, trial, Told))
    assert str(tmp_path / "my.gin") in told
    assert str(tmp_path / "sweep" / "trial-0000" / str(runs[0])) in told


@pytest.mark.parametrize(
    ("training", "state", "counted"), [(Ending, COMPLETE, 1000), (Diverging, DIVERGED, 500)]
)
def test_what_was_made_before_it_ended_counts_whenever_it_is_looked_at(
    tmp_path, training, state, counted
):
    """Of one that ended by itself, the last score stands for the rest; not of one that diverged."""
    runs = [Run("hts_ppo", "synthetic", 0)]
    plan = making.Plan(tmp_path, runs, [1000], None, [], [])
    trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
    assert not list(making.make(plan, trial, training))
    assert trial.state == state
    assert trial.value == pytest.approx(0.8 * (counted - 100) / 1000)
    outcome = making.outcome(plan, trial)
    assert (outcome.env_steps, len(outcome.curves)) == (500, 1)
    if state == DIVERGED:  # which stays so, also where another time it might not
        again = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
        assert not list(making.make(plan, again, NotAgain))
        assert (again.state, again.value) == (trial.state, trial.value)


def test_a_run_that_diverges_when_all_is_made_counts_the_same_when_it_is_made_again(tmp_path):
    runs = [Run("hts_ppo", "synthetic", seed) for seed in range(2)]
    plan = making.Plan(tmp_path, runs, [1000, 1000], None, [], [])
    found = []
    for _ in range(2):
        trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 2, seed=0).ask()
        list(making.make(plan, trial, DivergingAtLast))
        found.append((trial.state, trial.value))
    assert found[0] == found[1]
    assert found[0][0] == COMPLETE


def test_what_a_trial_came_to_stays_whatever_its_curve_says_later(tmp_path):
    """As of a training that does not repeat, whose last minutes were made once more."""
    runs = [Run("hts_ppo", "synthetic", 0)]
    plan = making.Plan(tmp_path, runs, [1000], None, [], [])

    class Configured(Ending):
        def __init__(self, module, arguments, log):
            log.with_name("config.gin").touch()
            super().__init__(module, arguments, log)

    def asked():
        return Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0)

    study, again = asked(), asked()
    trial = study.ask()
    list(making.make(plan, trial, Configured))
    study.tell(trial)
    board = tensorboard_log.TensorBoard(plan.workdir(0, 0))
    board.restart(100)
    board.close()
    recalled = again.ask()
    assert not list(making.make(plan, recalled, NotAgain))
    again.tell(recalled)
    assert (recalled.state, recalled.value) == (COMPLETE, trial.value)
    told = [one._study.trials[0] for one in (study, again)]
    assert told[0].intermediate_values == told[1].intermediate_values
    assert len(told[0].intermediate_values) == MARKS
    plan.workdir(0, 0).joinpath("config.gin").unlink()
    with pytest.raises(AssertionError, match="was begun again"):
        list(making.make(plan, asked().ask(), NotAgain))
    (tmp_path / "trial-0000" / making.JUDGED).write_text("{")
    with pytest.raises(errors.ConfigError, match=r"judged\.json is damaged: .*; remove it"):
        list(making.make(plan, asked().ask(), NotAgain))


def test_results_are_not_taken_for_those_of_other_values(tmp_path):
    """As they would where another Optuna draws them when a sweep is made again."""
    run = Run("hts_ppo", "synthetic", 0)
    plan = making.Plan(tmp_path, [run], [1000], None, [], [])

    def make(draw):
        space_ = space.parse(["PPO.clip = between(0.1, 0.3)", "PPO.epochs = whole(1, 6)"])
        list(making.make(plan, Study(space_, 1, seed=draw).ask(), Ending))

    make(1)
    make(0)  # nothing had begun
    plan.workdir(0, 0).joinpath("config.gin").touch()
    make(0)
    with pytest.raises(
        errors.ConfigError, match=r"trial-0000 was begun with PPO.clip = 0\.\d+, PPO"
    ):
        make(1)


def test_a_training_whose_env_steps_are_made_is_not_asked_to_end(tmp_path):
    """It has yet to learn from the last of them."""
    asked = []

    class GoingOn(Ending):
        def has_ended(self):
            return len(looks) > 2

        def ask_to_end(self):
            asked.append(self.made)

    class AllMade(GoingOn):
        made = 1000

    for training, minutes in [(AllMade, None), (AllMade, 1.0), (GoingOn, 1.0)]:
        plan = making.Plan(
            tmp_path / f"{training.made}-{minutes}",
            [Run("hts_ppo", "synthetic", 0)],
            [1000],
            minutes,
            [],
            [],
        )
        trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
        looks = []
        for look in making.make(plan, trial, training):
            looks.append(look)
        assert trial.state == COMPLETE
    assert set(asked) == {500}


def test_what_follows_the_last_env_step_is_made_after_an_interruption(tmp_path):
    begun = []

    class AllMade(Ending):
        made = 1000

        def __init__(self, module, arguments, log):
            begun.append(log.parent)
            super().__init__(module, arguments, log)

    plan = making.Plan(tmp_path, [Run("hts_ppo", "synthetic", 0)], [1000], None, [], [])
    values = []
    for times, is_complete in [(1, False), (2, True), (2, True)]:
        trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
        list(making.make(plan, trial, AllMade))
        values.append((trial.state, trial.value))
        assert len(begun) == times
        state = {workdir.COMPLETE: np.array(is_complete)}
        workdir.Workdir(plan.workdir(0, 0)).save(1, state, keep=1)
    assert len({*values}) == 1


def test_what_follows_the_last_env_step_is_made_also_from_an_older_checkpoint(tmp_path):
    """Where the newest could not be written: the env steps after it are made once more."""
    looks = []

    class AllMade(Ending):
        made = 1000

    class OnceMore(Ending):
        def __init__(self, module, arguments, log):
            board = tensorboard_log.TensorBoard(log.parent)
            board.restart(500)
            board.close()

        def has_ended(self):
            return len(looks) > 2

        def ask_to_end(self):
            raise AssertionError("it was asked to end")

    plan = making.Plan(tmp_path, [Run("hts_ppo", "synthetic", 0)], [1000], None, [], [])
    for training in (AllMade, OnceMore):
        trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
        for look in making.make(plan, trial, training):
            looks.append(look)
        state = {workdir.COMPLETE: np.array(False)}
        workdir.Workdir(plan.workdir(0, 0)).save(1, state, keep=1)
    assert len(looks) == 3


@pytest.mark.parametrize("first", [0, 1])
def test_trials_of_other_settings_are_not_compared(tmp_path, first):
    """As where a preset has changed since the first of them was made."""
    runs = [Run("hts_ppo", "synthetic", seed) for seed in range(2)]
    study = Study(space.parse(["clip = between(0.1, 0.3)"]), 2, seed=0)
    searched = space.bindings(
        space.parse(["clip = between(0.1, 0.3)"]), "PPO.clip = %clip\nPPO.epochs = 2"
    )
    assert searched == {"clip", "PPO.clip"}
    plan = making.Plan(tmp_path, runs, [1000] * 2, None, [], [], searched)
    texts = iter(
        f"# --seed = {n % 2}\nPPO.clip = {n / 10}\nPPO.epochs = {2 + n // 4}\n" for n in range(6)
    )

    class Configured(Ending):
        def __init__(self, module, arguments, log):
            log.with_name("config.gin").write_text(next(texts))
            super().__init__(module, arguments, log)

    for _ in range(first):
        refused = study.ask()
        refused.refuse()
        list(making.make(plan, refused, NotAgain))
    for _ in range(2):
        list(making.make(plan, study.ask(), Configured))
    differ = rf"epochs = 2 in .*trial-000{first}.*, 3 in .*trial-000{first + 2}"
    with pytest.raises(errors.ConfigError, match=differ):
        list(making.make(plan, study.ask(), Configured))


def test_minutes_are_over_also_before_an_episode_is(tmp_path):
    asked = []

    class NoEpisode(Ending):
        def __init__(self, module, arguments, log):
            board = tensorboard_log.TensorBoard(log.parent)
            board.scalars(100, {"run/minutes": 2.0})
            board.close()

        def has_ended(self):
            return bool(asked)

        def ask_to_end(self):
            asked.append(True)

    plan = making.Plan(tmp_path, [Run("hts_ppo", "synthetic", 0)], [1000], 1.0, [], [])
    trial = Study(space.parse(["PPO.clip = between(0.1, 0.3)"]), 1, seed=0).ask()
    list(itertools.islice(making.make(plan, trial, NoEpisode), 5))
    assert asked
    assert (trial.state, trial.value) == (COMPLETE, 0.0)


@pytest.mark.slow  # in a process of its own
def test_a_trial_whose_values_do_not_go_together_is_over_before_it_begins(
    tmp_path, capfd, monkeypatch
):
    bindings = ["Trainer.num_envs = 4", "Trainer.sync_interval = 16"]
    plan = making.Plan(tmp_path, [Run("hts_ppo", "synthetic", 0)], [1000], None, [], bindings)
    lines = ["PPO.num_minibatches = one_of(2, 64)", "ActorCritic.core = one_of(None, @gru)"]
    study = Study(space.parse(lines), 1, seed=0)
    trials = {}
    while len(trials) < 4:
        trial = study.ask()
        trials[tuple(trial.bindings)] = trial
    making.check(plan, [*trials.values()])
    refused = [bindings for bindings, trial in trials.items() if trial.state == REFUSED]
    assert refused == [("PPO.num_minibatches = 64", "ActorCritic.core = @gru")]
    assert "with PPO.num_minibatches = 64, ActorCritic.core = @gru: " in capfd.readouterr().err
    trial = trials[refused[0]]
    assert not list(making.make(plan, trial, NotAgain))
    study.tell(trial)
    assert {path.name for path in tmp_path.rglob("*.*")} == {making.DRAWN, making.JUDGED}
    # It is not asked again, unless other values are drawn.
    trial.state = UNFINISHED
    with monkeypatch.context() as patch:
        patch.setattr(making.parallel, "each", lambda begin, things, processes: iter(things))
        making.check(plan, [trial])
    assert trial.state == REFUSED
    (plan.trial(trial.number) / making.DRAWN).write_text("PPO.num_minibatches = 2")
    trial.state = UNFINISHED
    making.check(plan, [trial])
    assert trial.state == REFUSED
    # What has begun has been trained, if by another version.
    trial.state = UNFINISHED
    plan.workdir(trial.number, 0).mkdir(parents=True)
    plan.workdir(trial.number, 0).joinpath("config.gin").touch()
    making.check(plan, [trial])
    assert trial.state == UNFINISHED
