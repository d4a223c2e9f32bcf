import dataclasses
import itertools

import numpy as np
import pytest
from football_pair import purposeful_actions

from hts_tf import errors, specs
from hts_tf.environments import checked
from hts_tf.environments.football import action_masks
from hts_tf.environments.football.football import Football

IDLE, RIGHT, SPRINT, RELEASE_DIRECTION, RELEASE_SPRINT, RELEASE_DRIBBLE = 0, 5, 13, 14, 15, 18
HIGH_PASS = 10
KICKS, SHORT_PASS, SHOT, SLIDING, DRIBBLE = [9, 10, 11, 12], 11, 12, 16, 17
MASKED = Football("5_vs_5", representation="relative", frames=1, left_players=4, action_mask=True)


def joint_actions(seed, num_steps):
    players = (purposeful_actions(10 * seed + player) for player in range(4))
    return np.array(list(itertools.islice(zip(*players, strict=True), num_steps)))


def play(game, seed, actions):
    """Returns what was observed, and the masks, after the reset and each env step."""
    observation = MASKED.spec.new_observation()
    game.reset(seed, observation)
    seen, masks = [observation["player"].copy()], [observation[specs.ACTION_MASK].copy()]
    for action in actions:
        game.step(action, observation)
        seen.append(observation["player"].copy())
        masks.append(observation[specs.ACTION_MASK].copy())
    return np.array(seen), np.array(masks)


def test_what_goes_on_or_off_anyway_changes_nothing():
    """A masked sprint or release is worth as much as standing still, to the bit."""
    game = checked.make(MASKED)
    tried = set()
    for seed in range(3):
        actions = joint_actions(seed, 30)
        actions[[3, 9, 15], 0] = IDLE
        expected, masks = play(game, seed, actions)
        for step in (3, 9, 15):
            for action in (SPRINT, RELEASE_DIRECTION, RELEASE_SPRINT, RELEASE_DRIBBLE):
                if masks[step, 0, action]:
                    continue
                other = actions.copy()
                other[step, 0] = action
                seen, _ = play(game, seed, other)
                np.testing.assert_array_equal(seen, expected)
                tried.add(action)
    game.close()
    assert len(tried) == 4


@pytest.mark.parametrize(
    ("shots_in_front", "first_time_shots"), [(False, False), (True, False), (True, True)]
)
def test_masks_follow_from_what_is_seen(shots_in_front, first_time_shots):
    shots = {"shots_in_front": shots_in_front, "first_time_shots": first_time_shots}
    game = checked.make(dataclasses.replace(MASKED, **shots))
    kicked = near = 0
    for seed in range(3):
        seen, masks = play(game, seed, joint_actions(seed, 80))
        sticky = seen[..., 17:27] > 0
        has_ball, distance = seen[..., 39] > 0, seen[..., 35]
        own_ball = seen[..., 37] > 0
        is_near = has_ball | (distance <= 0.06)
        np.testing.assert_array_equal(masks[..., SPRINT], ~sticky[..., 8])
        np.testing.assert_array_equal(masks[..., RELEASE_SPRINT], sticky[..., 8])
        np.testing.assert_array_equal(masks[..., RELEASE_DRIBBLE], sticky[..., 9])
        np.testing.assert_array_equal(masks[..., RELEASE_DIRECTION], sticky[..., :8].any(-1))
        np.testing.assert_array_equal(masks[..., DRIBBLE], is_near & ~sticky[..., 9])
        np.testing.assert_array_equal(masks[..., SLIDING], is_near & ~own_ball)
        is_in_front = (seen[..., 27] >= 0.64) & (abs(seen[..., 28]) <= 0.27)
        for kick in KICKS:
            there = {SHOT: is_in_front, SHORT_PASS: True}.get(kick, ~is_in_front)
            is_coming = (seen[..., 36] > 0) & (kick == SHOT and first_time_shots)
            np.testing.assert_array_equal(
                masks[..., kick], (is_near | is_coming) & (there | (not shots_in_front))
            )
        assert masks[..., :9].all()
        kicked += has_ball.sum()
        near += (is_near & ~has_ball).sum()
    game.close()
    assert kicked
    assert near


@pytest.mark.parametrize(
    ("scenario", "is_in_front"), [("academy_empty_goal_close", True), ("academy_empty_goal", False)]
)
def test_shots_in_front_of_the_goal(scenario, is_in_front):
    config = Football(scenario, action_mask=True, shots_in_front=True)
    game, observation = checked.make(config), config.spec.new_observation()
    game.reset(0, observation)
    while not observation[specs.ACTION_MASK][SHORT_PASS]:  # to the ball
        assert not game.step(RIGHT, observation).is_over
    game.close()
    kicks = observation[specs.ACTION_MASK][KICKS].tolist()
    assert kicks == [not is_in_front, not is_in_front, True, is_in_front]


def test_first_time_shots_after_a_corner():
    """The ball flies past players who can shoot before it is theirs."""
    config = Football("academy_corner", "scoring", 1, "relative", action_mask=True)
    config = dataclasses.replace(config, shots_in_front=True, first_time_shots=True)
    game, observation = checked.make(config), config.spec.new_observation()
    early = 0
    for seed in range(5):
        game.reset(seed, observation)
        for _ in range(20):
            mask = observation[specs.ACTION_MASK]
            early += mask[SHOT] and not mask[SHORT_PASS]
            if game.step(HIGH_PASS if mask[HIGH_PASS] else IDLE, observation).is_over:
                break
    game.close()
    assert early


def test_shots_in_front_are_a_matter_of_masks():
    with pytest.raises(errors.ConfigError, match=r"needs Football\.action_mask = True"):
        Football("5_vs_5", shots_in_front=True)
    with pytest.raises(errors.ConfigError, match=r"needs Football\.shots_in_front = True"):
        Football("5_vs_5", action_mask=True, first_time_shots=True)


def test_both_sides_and_beside_a_critic_state():
    config = Football(
        "5_vs_5", left_players=1, right_players=2, action_mask=True, critic_state=True
    )
    spec = config.spec
    assert set(spec.observation) == {"player", specs.ACTION_MASK, specs.CRITIC_STATE}
    assert spec.observation[specs.ACTION_MASK].shape == (action_masks.NUM_ACTIONS,)
    game, observation = checked.make(config), spec.new_observation()
    game.reset(1, observation)
    game.step(np.full(3, SPRINT), observation)
    assert not observation[specs.ACTION_MASK][:, SPRINT].any()
    assert observation[specs.CRITIC_STATE].shape == (3, 115)
    left, right, _ = observation[specs.CRITIC_STATE]
    np.testing.assert_array_equal(left[:10], -right[44:54])  # five players
    game.close()
    alone = Football("5_vs_5", action_mask=True)
    observation = alone.spec.new_observation()
    game = checked.make(alone)
    game.reset(0, observation)
    assert observation[specs.ACTION_MASK].shape == (19,)
    game.close()
