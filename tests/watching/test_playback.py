import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors, specs
from hts_tf.environments import base, checked
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files.archive import Record
from hts_tf.watching.playback import Playback

GAME = Synthetic(num_actions=4, episode_steps=16)


def record(seed, actions):
    """An episode as an archive has it: added up from float32."""
    game = GAME.make()
    observation = np.zeros(4, np.float32)
    game.reset(seed, observation)
    score = sum(float(np.float32(game.step(action, observation).score)) for action in actions)
    return Record(3, 0, seed, 7, score, score, bytes(actions))


def replay(of):
    playing = Playback(GAME.make(), GAME.spec, of)
    moments = list(playing)
    assert playing.last == moments[-1]
    assert playing.changes == [moment.step for moment in moments if moment.gained]
    return moments, playing.disagreements()


seeds = st.integers(0, 2**31 - 1)
episodes = st.lists(st.integers(0, 3), min_size=16, max_size=16)


@given(seeds, episodes)
def test_an_honest_record_agrees(seed, actions):
    moments, found = replay(record(seed, actions))
    assert not found
    assert [moment.step for moment in moments] == list(range(17))
    assert [moment.action for moment in moments] == [None, *actions]
    assert [moment.ending for moment in moments] == [""] * 16 + ["terminated"]
    assert sum(moment.gained for moment in moments) == pytest.approx(moments[-1].score)


class UpAndDown:
    """A game whose rewards are large, no numbers of float32, and cancel but for what is rounded."""

    rewards = (123_456.789, -0.125, -98_765.432, -24_691.357)

    def reset(self, seed, observation):
        observation[...] = 0.0
        self._left = [*self.rewards]

    def step(self, action, observation):
        observation[...] = len(self._left)
        reward = self._left.pop(0)
        return base.StepResult(reward, reward, not self._left, False)


def test_large_rewards_that_cancel_may_leave_what_is_rounded():
    """Trainings have float32; a difference that is larger is one."""
    spec = dataclasses.replace(GAME.spec, max_episode_steps=len(UpAndDown.rewards))
    total = float(np.array(UpAndDown.rewards, np.float32).astype(np.float64).sum())
    assert abs(total - sum(UpAndDown.rewards)) > 1e-3
    for wrong in (0.0, 0.1):
        archived = total + wrong
        playing = Playback(UpAndDown(), spec, Record(0, 0, 0, 0, archived, archived, bytes(4)))
        list(playing)
        assert len(playing.disagreements()) == (2 if wrong else 0)


@given(seeds, episodes, st.integers(0, 15), st.integers(1, 3))
def test_another_action_is_noticed_where_it_matters(seed, actions, place, change):
    honest = record(seed, actions)
    other = list(actions)
    other[place] = (other[place] + change) % 4
    matters = record(seed, other).score != honest.score
    assert bool(replay(honest._replace(actions=bytes(other)))[1]) == matters


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"score": 5.0}, "score 5 in the archive, 0."),
        ({"episode_return": -1.0}, "return -1 in the archive, 0."),
        ({"actions": bytes(15)}, "goes on after the archive's last action"),
        ({"actions": bytes(17)}, "length 17 in the archive, 16 in the replay"),
    ],
)
def test_a_tampered_record_is_reported(changes, complaint):
    tampered = record(1, [0] * 16)._replace(**changes)
    assert any(complaint in text for text in replay(tampered)[1])


@pytest.mark.parametrize("length", [0, 9, 16])
def test_an_episode_of_unknown_outcome_may_stop_anywhere(length):
    unknown = record(1, [0] * 16)._replace(
        actions=bytes(length), score=math.nan, episode_return=math.nan
    )
    moments, found = replay(unknown)
    assert not found
    assert len(moments) == 1 + length


def test_a_time_limit_is_called_so():
    game = Synthetic(time_limit=True)
    assert list(Playback(game.make(), game.spec, record(0, [0] * 16)))[-1].ending == "time limit"


def test_actions_of_another_game():
    complaint = "of another run: action 4, but the environment has only 4 actions"
    with pytest.raises(errors.ConfigError, match=complaint):
        Playback(GAME.make(), GAME.spec, Record(0, 0, 0, 0, 0.0, 0.0, b"\4"))


def test_actions_of_another_size():
    other = Record(0, 0, 0, 0, 0.0, 0.0, bytes(16), action_bytes=8)
    with pytest.raises(errors.ConfigError, match="of another run: actions of 8 bytes, not of 1"):
        Playback(GAME.make(), GAME.spec, other)


def test_without_actions_their_size_does_not_matter():
    """An archive cannot tell it of episodes that have none."""
    spec = dataclasses.replace(GAME.spec, action=specs.ArraySpec((2,), "float32"))
    assert len(list(Playback(GAME.make(), spec, Record(0, 0, 1, 0, 0.0, 0.0, b"")))) == 1


class Recorder:
    """An environment that keeps the actions that it gets."""

    def __init__(self):
        self.actions = []

    def reset(self, seed, observation):
        observation["place"][...] = 0

    def step(self, action, observation):
        self.actions.append(action.tolist())
        observation["place"][...] = len(self.actions)
        return base.StepResult(0.5, 1.0, len(self.actions) == 3, False)


def test_a_broken_rule_is_told_of_a_replay_too():
    class Lost(Recorder):
        def step(self, action, observation):
            observation["place"][...] = np.nan
            return base.StepResult(0.0, 0.0, False, False)

    spec = specs.EnvironmentSpec({"place": specs.ArraySpec((2,), "float32")}, GAME.spec.action, 3)
    playing = Playback(Lost(), spec, Record(0, 0, 0, 0, 0.0, 0.0, b"\0"))
    with pytest.raises(checked.ProtocolError, match="observation/place holds nan"):
        list(playing)


def test_actions_and_observations_of_other_kinds():
    spec = specs.EnvironmentSpec(
        {"place": specs.ArraySpec((2,), "float32")}, specs.ArraySpec((2,), "float32"), 3
    )
    actions = np.arange(6, dtype=np.float32).reshape(3, 2)
    environment = Recorder()
    playing = Playback(environment, spec, Record(0, 0, 0, 0, 3.0, 1.5, actions.tobytes(), 8))
    moments = list(playing)
    assert environment.actions == actions.tolist()
    assert [moment.step for moment in moments] == [0, 1, 2, 3]
    assert not playing.disagreements()
