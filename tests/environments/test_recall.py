import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.environments import checked
from hts_tf.environments.recall import Recall
from hts_tf.files.curves import read_curve
from tests import command_line
from tests.training import score_of

configs = st.builds(
    lambda cues, shortest, more: Recall(cues, shortest, shortest + more),
    st.integers(2, 6),
    st.integers(1, 9),
    st.integers(0, 9),
)
seeds = st.integers(0, 2**31 - 1)


def play(game, seed, policy):
    """One episode: all observations before an action, the cue, and all step results."""
    observation = np.full(game.config.num_cues + 1, np.nan, np.float32)
    game.environment.reset(seed, observation)
    observations, results = [], []
    while not results or not results[-1].terminated:
        observations.append(observation.copy())
        results.append(game.environment.step(policy(observations), observation))
    return np.array(observations), results


class Game:
    """An environment as executors play it, checked in each step, and what it was made from."""

    def __init__(self, config):
        self.config = config
        self.environment = checked.make(config)


def remembering(observations):
    return int(np.argmax(observations[0][:-1]))


@given(configs, seeds)
def test_what_an_episode_consists_of(config, seed):
    observations, results = play(Game(config), seed, remembering)
    delay = len(observations) - 1
    assert config.shortest <= delay <= config.longest
    assert len(results) <= config.spec.max_episode_steps
    cue, question = observations[0], observations[-1]
    assert sorted(cue[:-1].tolist()) == [0.0] * (config.num_cues - 1) + [1.0]
    assert cue[-1] == 0.0, "no question"
    assert not observations[1:-1].any(), "nothing is shown between"
    assert question.tolist() == [0.0] * config.num_cues + [1.0]
    assert [r.terminated for r in results] == [False] * delay + [True]
    assert not any(r.truncated for r in results)


@given(configs, seeds)
def test_only_the_last_action_counts(config, seed):
    game = Game(config)
    observations, results = play(game, seed, remembering)
    assert [r.reward for r in results] == [0.0] * (len(results) - 1) + [1.0]
    assert [r.score for r in results] == [r.reward for r in results]
    cue = remembering(observations)

    def wrong_at_last(observations):
        return (cue + 1) % config.num_cues if observations[-1][-1] else cue

    def right_at_last(observations):
        return cue if observations[-1][-1] else (cue + 1) % config.num_cues

    assert sum(r.score for r in play(game, seed, wrong_at_last)[1]) == 0.0
    assert sum(r.score for r in play(game, seed, right_at_last)[1]) == 1.0


@given(configs, st.lists(seeds, min_size=1, max_size=4))
def test_history_free(config, seeds):
    """What an environment played before does not matter."""
    used = Game(config)
    for seed in seeds:
        observations, results = play(used, seed, remembering)
    others, other_results = play(Game(config), seeds[-1], remembering)
    np.testing.assert_array_equal(observations, others)
    assert results == other_results


def test_seeds_draw_cues_and_delays_alike():
    """Neither tells anything of the other: of 3 x 4 kinds, each is as frequent as any."""
    game = Game(Recall(3, 1, 4))
    counts = np.zeros((3, 4))
    for seed in range(1200):
        observations, _ = play(game, seed, remembering)
        counts[remembering(observations), len(observations) - 2] += 1
    assert np.abs(counts - 100).max() < 4.5 * 100**0.5


@pytest.mark.parametrize("num_cues", [2, 4])
def test_who_does_not_remember_scores_one_in_num_cues(num_cues):
    game = Game(Recall(num_cues, 1, 3))
    episodes = 1000
    chance = 1 / num_cues
    error = 4.5 * (chance * (1 - chance) / episodes) ** 0.5
    scores = [play(game, seed, lambda seen: 0)[1][-1].score for seed in range(episodes)]
    assert np.mean(scores) == pytest.approx(chance, abs=error)


def test_spec_and_pickle():
    config = Recall(num_cues=6, longest=40)
    assert config.spec.action.num_values == 6
    assert config.spec.observation.shape == (7,)
    assert config.spec.observation.dtype == "float32"
    assert config.spec.max_episode_steps == 41
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_cues", 1), ("num_cues", 257), ("shortest", 0), ("longest", 10_001), ("longest", 2.0)],
)
def test_bad_settings_name_their_binding(name, value):
    with pytest.raises(errors.ConfigError) as error:
        Recall(**{name: value})
    message = str(error.value).splitlines()[0]
    assert message.startswith(f"Recall.{name} = {value!r}: must be ")


def test_the_longest_is_no_shorter_than_the_shortest():
    assert Recall(shortest=5, longest=5).spec.max_episode_steps == 6
    with pytest.raises(
        errors.ConfigError, match=r"^Recall\.shortest = 6 must not exceed Recall\.longest = 5"
    ):
        Recall(shortest=6, longest=5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "core"),
    [("hts_ppo", "@lstm"), ("hts_ppo", "None"), ("hts_a2c", "@lstm"), ("impala", "@gru")],
)
def test_only_memory_wins(tmp_path, method, core):
    code, _, errors = command_line.run(
        "hts_tf.train",
        f"--workdir={tmp_path}",
        f"--method={method}",
        "--scenario=recall",
        f"--gin_bindings=ActorCritic.core = {core}",
        "--gin_bindings=lstm.units = 16",
        "--gin_bindings=gru.units = 16",
        "--gin_bindings=Recall.num_cues = 2",
        "--gin_bindings=Recall.shortest = 1",
        "--gin_bindings=Recall.longest = 3",
        "--gin_bindings=Trainer.total_env_steps = 20480",
        "--gin_bindings=Trainer.stop_at_score = 0.9",
        command_line.ONE_EXECUTOR,
    )
    assert code == 0, errors
    if method != "hts_ppo" and read_curve(tmp_path).first_reached(0.9):
        return  # 100 episodes with actions that were drawn say it as well
    score = score_of(tmp_path, "--episodes=200")
    if core == "None":
        assert score == pytest.approx(0.5, abs=4 * 0.5 / 200**0.5)
    else:
        assert score > 0.9
