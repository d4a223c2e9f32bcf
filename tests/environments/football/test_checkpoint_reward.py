import gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.environments.football import checkpoint_reward


class FakeFootball(gym.Env):
    """Gives gfootball's own wrapper the state that a test prescribes."""

    def observation(self):
        return [self.state]


def stock_rewards(steps):
    from gfootball.env import wrappers

    football = FakeFootball()
    wrapper = wrappers.CheckpointRewardWrapper(football)
    rewards = []
    for goal_reward, ball in steps:
        football.state = {
            "active": 3,
            "ball_owned_player": 3,
            "ball_owned_team": -1 if ball is None else 0,
            "ball": np.array([*(ball or (0.0, 0.0)), 0.1]),
        }
        rewards.append(float(wrapper.reward(np.array([goal_reward], np.float32))[0]))
    return rewards


balls = st.tuples(st.floats(-1.25, 1.25, width=32), st.floats(-0.5, 0.5, width=32))


@given(st.lists(st.tuples(st.sampled_from([-1, 0, 0, 0, 0, 1]), st.none() | balls), max_size=30))
def test_equals_gfootballs_wrapper(steps):
    reward = checkpoint_reward.CheckpointReward()
    assert [reward(*step) for step in steps] == stock_rewards(steps)


def test_scoring_episode_returns_two():
    reward = checkpoint_reward.CheckpointReward()
    rewards = [reward(0, (x, 0.0)) for x in (0.0, 0.005, 0.02, 0.2, 0.1)]
    rewards.append(reward(0, None))
    rewards.append(reward(1, None))
    assert rewards == pytest.approx([0, 0, 0.1, 0.2, 0, 0, 1.7])
    assert reward(0, (0.95, 0.0)) == 0


def test_reset_offers_the_checkpoints_again():
    reward = checkpoint_reward.CheckpointReward()
    assert reward(0, (1.0, 0.0)) == pytest.approx(1.0)
    assert reward(0, (1.0, 0.0)) == 0
    reward.reset()
    assert reward(0, (1.0, 0.0)) == pytest.approx(1.0)


@given(
    st.lists(st.tuples(st.sampled_from([-1, 0, 0, 0, 0, 1]), st.none() | balls), max_size=30),
    st.floats(0, 10),
)
def test_a_weight_is_of_checkpoints_alone(steps, weight):
    plain, weighted = (checkpoint_reward.CheckpointReward(w) for w in (1.0, weight))
    for goal, ball in steps:
        expected = goal + weight * (plain(goal, ball) - goal)
        assert weighted(goal, ball) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_without_weight_only_goals_pay():
    reward = checkpoint_reward.CheckpointReward(0.0)
    assert [reward(0, (0.9, 0.0)), reward(-1, None), reward(1, None)] == [0.0, -1.0, 1.0]
