"""gfootball's own environment beside ours."""

import importlib.util
import random
from pathlib import Path

import numpy as np

from hts_tf import specs
from hts_tf.environments.football import football
from hts_tf.environments.football.scenario import Turns
from tests.pixel_maps import to_dense

_RIGHT, _SHOT, _SPRINT = 5, 12, 13


def make_stock(
    scenario, rewards, stacked=True, representation="extracted", left_players=1, right_players=0
):
    from gfootball import env as gfootball_env

    return gfootball_env.create_environment(
        env_name=scenario,
        representation=representation,
        stacked=stacked,
        rewards=rewards,
        number_of_left_players_agent_controls=left_players,
        number_of_right_players_agent_controls=right_players,
    )


def takes_turns(scenario):
    """Whether the teams of a scenario take turns, by the number of the episode."""
    path = importlib.util.find_spec(f"gfootball.scenarios.{scenario}").origin
    return "builder.EpisodeNumber()" in Path(path).read_text()


def reset_stock(stock, seed):
    """Begins the episode that ours begins with a seed."""
    random.seed(seed)  # as scenarios find them in ours
    np.random.seed(seed)
    config = stock.unwrapped._config
    config["game_engine_random_seed"] = seed
    number, right_first = Turns.of(seed) if takes_turns(config["level"]) else (1, False)
    config["reverse_team_processing"] = right_first
    config["episode_number"] = number - 1  # counted up by the reset itself
    return stock.reset()


def purposeful_actions(seed):
    """Endless actions that often lead to the goal, out of play and into the other team's hands."""
    rng = np.random.default_rng(seed)
    weights = np.ones(19)
    weights[[_RIGHT, _SHOT, _SPRINT]] = 20, 3, 6
    while True:
        action = int(rng.choice(19, p=weights / weights.sum()))
        yield from [action] * int(rng.integers(1, 5))


class Pair:
    """The stock environment and ours, stepped together and compared to the bit.

    Of several players, an action is an array of one for each.
    """

    def __init__(self, scenario, rewards="scoring,checkpoints", frames=4, **settings):
        config = football.Football(scenario, rewards, frames, **settings)
        self.spec = config.spec
        self.ours = config.make()
        self.stock = make_stock(scenario, rewards, frames > 1, **settings)
        self.observation = self.spec.new_observation()
        self._first_side = 1 if config.players[0] else -1

    def play(self, seed, actions):
        """Plays to the end of the episode or of the actions; returns all results."""
        self.ours.reset(seed, self.observation)
        self._compare(reset_stock(self.stock, seed))
        results = []
        for action in actions:
            stock_observation, stock_reward, stock_done, info = self.stock.step(action)
            result = self.ours.step(action, self.observation)
            results.append(result)
            self._compare(stock_observation)
            assert np.float32(result.reward).tobytes() == stock_reward.tobytes()
            np.testing.assert_array_equal(np.abs(result.score), abs(info["score_reward"]))
            assert np.ravel(result.score)[0] == self._first_side * info["score_reward"]
            np.testing.assert_array_equal(result.terminated | result.truncated, stock_done)
            if stock_done:
                break
        assert len(results) <= self.spec.max_episode_steps
        return results

    def _compare(self, stock_observation):
        spec = self.spec.observation
        if isinstance(spec, specs.PixelMapSpec):
            players = self.observation.reshape(-1, *spec.shape)
            dense = np.array([to_dense(spec, player) for player in players])
            np.testing.assert_array_equal(dense * 255, stock_observation.reshape(dense.shape))
        else:
            assert self.observation.tobytes() == stock_observation.tobytes()

    def close(self):
        self.ours.close()
        self.stock.close()
