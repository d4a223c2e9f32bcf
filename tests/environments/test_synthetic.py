import pickle
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.environments import synthetic
from hts_tf.environments.synthetic import Synthetic


def play(game, seed, actions):
    """One episode: its observations as bytes and its step results."""
    observation = np.full(game._config.num_actions, np.nan, np.float32)
    game.reset(seed, observation)
    observations, results = [observation.tobytes()], []
    for action in actions:
        results.append(game.step(action, observation))
        observations.append(observation.tobytes())
    return observations, results


episodes = st.tuples(
    st.integers(0, 2**31 - 1), st.lists(st.integers(0, 3), min_size=0, max_size=16)
)


step_times = st.sampled_from(list(synthetic._UNIT_MEAN))


@given(st.lists(episodes, min_size=1, max_size=4), step_times)
def test_history_free(history, step_time):
    """What an environment played before does not matter, nor does how long its steps take."""
    config = Synthetic(step_time=step_time, mean_step_sec=1e-9, burn=True)
    used = config.make()
    for seed, actions in history:
        last = play(used, seed, actions)
    assert play(Synthetic().make(), *history[-1]) == last


def test_seeds_matter():
    games = {play(Synthetic().make(), seed, [0] * 15)[0].__repr__() for seed in range(20)}
    assert len(games) == 20


@pytest.mark.parametrize("seed", range(3))
def test_following_the_light_scores_1(seed):
    game = Synthetic(num_actions=3, episode_steps=7).make()
    observation = np.empty(3, np.float32)
    game.reset(seed, observation)
    results = []
    for _ in range(7):
        assert sorted(observation.tolist()) == [0.0, 0.0, 1.0]
        results.append(game.step(int(np.argmax(observation)), observation))
    assert sum(r.score for r in results) == pytest.approx(1.0)
    assert [r.reward for r in results] == [r.score for r in results]


def test_missing_it_scores_nothing():
    game = Synthetic(num_actions=3, episode_steps=7).make()
    observation = np.empty(3, np.float32)
    game.reset(0, observation)
    for _ in range(7):
        assert game.step((int(np.argmax(observation)) + 1) % 3, observation).score == 0.0


def test_random_play_scores_one_in_num_actions():
    game = Synthetic(num_actions=5, episode_steps=2000).make()
    random = np.random.default_rng(0)
    _, results = play(game, 3, random.integers(5, size=2000))
    assert sum(r.score for r in results) == pytest.approx(1 / 5, abs=4 * 0.4 / 2000**0.5)


@pytest.mark.parametrize("time_limit", [False, True])
@pytest.mark.parametrize("episode_steps", [1, 4])
def test_the_last_step_and_no_other_ends_the_episode(time_limit, episode_steps):
    config = Synthetic(episode_steps=episode_steps, time_limit=time_limit)
    _, results = play(config.make(), 0, [0] * episode_steps)
    ending = (not time_limit, time_limit)
    going_on = [(False, False)] * (episode_steps - 1)
    assert [(r.terminated, r.truncated) for r in results] == [*going_on, ending]
    assert config.spec.max_episode_steps == episode_steps


def test_the_ending_does_not_change_the_game():
    actions = [0, 1, 2, 3] * 4
    terminating = play(Synthetic(time_limit=False).make(), 5, actions)
    truncating = play(Synthetic(time_limit=True).make(), 5, actions)
    assert terminating[0] == truncating[0]
    assert [r.reward for r in terminating[1]] == [r.reward for r in truncating[1]]


def test_spec_and_pickle():
    config = Synthetic(num_actions=6)
    assert config.spec.action.num_values == 6
    assert config.spec.observation.shape == (6,)
    assert config.spec.observation.dtype == "float32"
    assert pickle.loads(pickle.dumps(config)) == config


def test_close_twice():
    game = Synthetic().make()
    game.close()
    game.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_actions", 1),
        ("num_actions", 257),
        ("episode_steps", 0),
        ("step_time", "normal"),
        ("gamma_shape", 0),
        ("mean_step_sec", -0.1),
    ],
)
def test_bad_settings_name_their_binding(name, value):
    with pytest.raises(errors.ConfigError) as error:
        Synthetic(**{name: value})
    message = str(error.value).splitlines()[0]
    assert message.startswith(f"Synthetic.{name} = {value!r}: must be ")


@pytest.mark.parametrize(("name", "value"), [("num_actions", 2), ("num_actions", 256)])
def test_limits_are_allowed(name, value):
    assert Synthetic(**{name: value}).spec.action.num_values == value


@pytest.mark.parametrize(
    ("step_time", "gamma_shape", "variance"),
    [
        ("constant", 4.0, 0.0),
        ("exponential", 4.0, 1.0),
        ("gamma", 4.0, 0.25),
        ("gamma", 1.0, 1.0),
        ("gamma", 0.25, 4.0),
    ],
)
@pytest.mark.parametrize("mean", [1.0, 0.02])
def test_step_times_have_their_mean_and_variance(step_time, gamma_shape, variance, mean):
    config = Synthetic(step_time=step_time, gamma_shape=gamma_shape, mean_step_sec=mean)
    samples = config.draw_step_sec(np.random.default_rng(0), (100, 1000))
    assert samples.min() >= 0.0
    assert samples.mean() == pytest.approx(mean, rel=0.02)
    assert samples.var() == pytest.approx(variance * mean**2, rel=0.05)
    assert config.step_variance_sec2 == pytest.approx(variance * mean**2)


def test_an_environment_draws_one_step_time_after_the_other():
    config = Synthetic(step_time="gamma", mean_step_sec=1.0)
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    assert [config.draw_step_sec(one) for _ in range(5)] == list(config.draw_step_sec(other, (5,)))


def test_pareto_has_mean_1_and_a_heavy_tail():
    config = Synthetic(step_time="pareto", mean_step_sec=1.0)
    samples = config.draw_step_sec(np.random.default_rng(0), (100_000,))
    assert config.step_variance_sec2 == pytest.approx(5.0)
    assert samples.min() >= 0.0
    assert samples.mean() == pytest.approx(1.0, abs=0.03)
    # P(1 + X / 1.5 > t) = t^-2.5; an exponential goes beyond 15 once in 3 million times.
    beyond = np.mean(samples > 15)
    assert beyond == pytest.approx(11**-2.5, rel=0.2)


@pytest.mark.parametrize("burn", [False, True])
def test_a_step_takes_its_time(burn):
    """At least: how much more depends on the machine."""
    game = Synthetic(mean_step_sec=0.01, burn=burn).make()
    observation = np.empty(4, np.float32)
    game.reset(0, observation)
    wall, processor = time.perf_counter(), time.thread_time()
    for _ in range(5):
        game.step(0, observation)
    assert time.perf_counter() - wall >= 0.05
    if not burn:
        assert time.thread_time() - processor < 0.05
