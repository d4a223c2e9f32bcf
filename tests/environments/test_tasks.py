import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import config, differences, errors, operative, seeding, settings, specs
from hts_tf.environments import base, checked, history
from hts_tf.environments.football.football import Football
from hts_tf.environments.tasks import Tasks
from hts_tf.watching import keyboard
from tests.guessing import Guessing


def tasks(*rivals, **each):
    return Tasks([Guessing(rivals=number, **each) for number in rivals])


def seed_of(task, num_tasks, number=0):
    return seeding.episode_seed(3, 0, number, task=task, num_tasks=num_tasks)


def play(config, seed):
    """Yields (observation, action, result) of an episode, the last observation without."""
    environment, random = checked.make(config), np.random.default_rng(seed)
    spec = config.spec
    observation = spec.new_observation()
    environment.reset(seed, observation)
    while True:
        before = {name: array.copy() for name, array in observation.items()}
        action = random.integers(spec.action.num_values, size=spec.players).astype(np.uint8)
        result = environment.step(specs.plain(action), observation)
        yield before, action, result
        if result.is_over:
            return


def test_spec():
    spec = Tasks([Guessing(2, 1, 3), Guessing(2, 0, 9), Guessing(2, 4, 5)]).spec
    assert (spec.num_players, spec.num_rivals, spec.max_episode_steps) == (6, 4, 9)
    assert (spec.rivals_of_tasks, spec.num_tasks) == ((1, 0, 4), 3)
    assert spec.takes_part(0).tolist() == [True] * 3 + [False] * 3
    assert spec.takes_part(1).tolist() == [True] * 2 + [False] * 4
    assert spec.takes_part(2).all()
    assert Guessing().spec.takes_part(0) is True


@pytest.mark.parametrize("task", [0, 1, 2])
def test_an_episode_is_that_of_its_task(task):
    config = tasks(1, 0, 3)
    alone = config.environments[task]
    there = alone.spec.num_players
    random = np.random.default_rng(0)
    environment, own = checked.make(config), checked.make(alone)
    seen, seen_alone = config.spec.new_observation(), alone.spec.new_observation()
    for number in range(3):
        seed = seed_of(task, 3, number)
        environment.reset(seed, seen)
        own.reset(seed, seen_alone)
        result = None
        while result is None or not result.is_over:
            for name, array in seen.items():
                np.testing.assert_array_equal(array[:there], seen_alone[name])
                assert not array[there:].any()
            action = random.integers(5, size=config.spec.players).astype(np.uint8)
            result = environment.step(action, seen)
            expected = own.step(action[:there], seen_alone)
            for part, of_alone in zip(result, expected, strict=True):
                np.testing.assert_array_equal(part[:there], of_alone)
            assert result.terminated[there:].all()
            assert not result.reward[there:].any()
            assert result.is_over == expected.is_over


def test_one_player_against_nobody_or_somebody():
    config = tasks(0, 1, own=1)
    for _, _, result in play(config, seed_of(0, 2)):
        assert result.terminated[1]
    for step, (_, _, result) in enumerate(play(config, seed_of(1, 2))):
        assert result.terminated[1] <= (step == 2)


def test_one_player_each():
    config = tasks(0, 0, own=1)
    assert config.spec.players == ()
    assert config.spec.num_tasks == 2
    assert len(list(play(config, seed_of(1, 2)))) == 3


def test_names_of_actions_also_before_an_episode_and_of_one_player():
    alone = Football("5_vs_5", left_players=1)
    config = Tasks([alone, dataclasses.replace(alone, right_players=1)])
    watched = config.watch()
    names = keyboard.of(config.spec.action, watched.action_name).names
    assert names == keyboard.of(alone.spec.action, alone.watch().action_name).names
    watched.reset(seed_of(0, 2), config.spec.new_observation())  # with nobody on the other side
    assert keyboard.of(config.spec.action, watched.action_name).names == names
    assert watched.action_name(np.array([5, 0])) == watched.action_name(5)
    watched.close()


def test_free_of_history():
    findings = history.find_out(tasks(1, 0), [seed_of(task, 2, 4) for task in (0, 1, 0)])
    assert not findings.differences


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Guessing(size=5), "the observation of number 1 is not that of number 0"),
        (Guessing(values=4), "the observation of number 1"),
        (Guessing(own=3), "the number of own players of number 1"),
        (tasks(1, 0), "must not be Tasks themselves"),
    ],
)
def test_what_no_agent_can_play(other, says):
    with pytest.raises(errors.ConfigError, match=says):
        Tasks([Guessing(), other])


@dataclasses.dataclass(frozen=True)
class Broken(Guessing):
    """Hands over what is no result of its players."""

    result: tuple = ()

    def make(self):
        game = super().make()
        step = game.step

        def broken(action, observation):
            step(action, observation)
            return self.result

        game.step = broken
        return game


@pytest.mark.parametrize(
    ("own", "result", "says"),
    [
        (2, base.StepResult(0.5, [0, 0], [False, False], [False, False]), "reward is 0.5"),
        (2, (1.0, 2.0), "not a StepResult"),
        (2, None, "None, not a StepResult"),
        (1, base.StepResult(0.5, float("nan"), False, False), "score is nan"),
    ],
)
def test_tasks_with_fewer_rivals_keep_to_the_protocol(own, result, says):
    """Before what they say is said of all players."""
    config = Tasks([Broken(own, 0, result=result), Broken(own, 1, result=result)])
    with pytest.raises(checked.ProtocolError, match=f"_Guessing broke a rule.*{says}"):
        next(play(config, seed_of(0, 2)))


def test_a_plain_tuple_is_a_result_there_too():
    plain = ([0.5, 1.0], [0, 1], [False, True], [True, False])
    config = Tasks([Broken(2, 0, result=plain), Broken(2, 1, result=plain)])
    [(_, _, result)] = play(config, seed_of(0, 2))
    assert result.reward.tolist() == [0.5, 1.0, 0.0]
    assert result.terminated.tolist() == [False, True, True]


def test_one_is_no_choice():
    with pytest.raises(errors.ConfigError, match=r"Tasks\.environments"):
        Tasks([Guessing()])


@given(st.integers(0, 2**31 - 1), st.integers(0, 50), st.data())
def test_a_seed_says_the_task(seed, episode, data):
    num_tasks = data.draw(st.integers(1, 40))
    task = data.draw(st.integers(0, num_tasks - 1))
    for evaluation in (False, True):
        found = seeding.episode_seed(
            seed, 2, episode, evaluation=evaluation, task=task, num_tasks=num_tasks
        )
        assert 0 <= found < 2**31
        assert seeding.is_evaluation(found) == evaluation
        assert seeding.task_of(found, num_tasks) == task


BOTH = [
    "Trainer.environment = @Tasks()",
    "Tasks.environments = (@easy/Football(), @Football())",
    "Football.rewards = 'scoring'",
    "easy/Football.left_players = 1",
    "easy/Football.scenario = 'academy_empty_goal'",
]
SCENARIO = "academy_empty_goal_close"


def loaded(bindings):
    config.load(SCENARIO, "hts_ppo", gin_bindings=bindings)
    return config.environment()


def test_gin_scopes(clean_gin):
    environments = loaded(BOTH).environments
    assert [one.scenario for one in environments] == ["academy_empty_goal", SCENARIO]
    assert [one.rewards for one in environments] == ["scoring"] * 2


@pytest.mark.parametrize(
    "further",
    [
        ["other/Football.frames = 2"],
        ["easy/PPO.clip = 0.1", "Trainer.algorithm = @easy/PPO()"],
        ["Trainer.environment = @easy/Football()"],
    ],
)
def test_scopes_of_nothing_are_refused(further, clean_gin):
    with pytest.raises(errors.ConfigError, match="scopes have no effect here"):
        loaded(BOTH + further)


def test_a_workdir_remembers_scopes(clean_gin):
    loaded(BOTH)
    settings.Settings()
    text = operative.text(0)
    assert differences.between(text, text) == []
    found = config.environment_in(text, "config.gin")
    assert [one.scenario for one in found.environments] == ["academy_empty_goal", SCENARIO]
    # A default that is not written down is no difference.
    without = "".join(
        line for line in text.splitlines(True) if "easy/Football.left_players" not in line
    )
    assert without != text
    assert differences.between(text, without) == []
