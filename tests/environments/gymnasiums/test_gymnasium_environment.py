"""The adapter: what executors see of an environment, step by step."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import specs, trees
from hts_tf.environments import checked
from hts_tf.environments.gymnasiums import wrapping
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium
from tests.environments.gymnasiums import tiny


def draw(spec, random):
    """An action as a policy chooses it."""
    match spec:
        case specs.DiscreteSpec():
            return int(random.integers(spec.num_values))
        case specs.MultiDiscreteSpec():
            return random.integers(spec.num_values).reshape(spec.shape).astype(spec.dtype)
        case specs.BoxSpec():
            return random.normal(0, 2, spec.shape).astype(np.float32)
    return random.integers(0, 2, spec.shape).astype(spec.dtype)


def play(environment, config, seed, actions):
    """One episode: its observations as bytes and its step results, until it ends."""
    shown = config.spec.new_observation()
    environment.reset(seed, shown)
    observations, results = [], []
    for action in [None, *actions]:
        if action is not None:
            results.append(environment.step(action, shown))
        observations.append([array.tobytes() for _, array in trees.named(shown)])
        if results and (results[-1].terminated or results[-1].truncated):
            break
    return observations, results


HISTORY_FREE = [
    Gymnasium("CartPole-v1"),
    Gymnasium("FrozenLake-v1"),
    Gymnasium("Blackjack-v1", max_episode_steps=9),
    Gymnasium("Pendulum-v1"),
    Gymnasium("Taxi-v4"),
    Gymnasium("Nested-v0"),
    Gymnasium("Masked-v0", kwargs={"sizes": (2, 4)}),
]


@pytest.mark.parametrize("config", HISTORY_FREE, ids=lambda config: config.id)
@settings(max_examples=10)
@given(st.integers(0, 2**31 - 1), st.integers(0, 99))
def test_history_free(config, seed, actions_seed):
    random = np.random.default_rng(actions_seed)
    actions = [draw(config.spec.action, random) for _ in range(20)]
    used, fresh = checked.make(config), checked.make(config)
    first = play(used, config, seed, actions)
    play(used, config, seed + 1, actions[::-1])
    assert play(used, config, seed, actions) == first
    assert play(fresh, config, seed, actions) == first
    used.close()
    fresh.close()


@pytest.mark.parametrize("config", HISTORY_FREE, ids=lambda config: config.id)
def test_seeds_matter(config):
    environment = checked.make(config)
    random = np.random.default_rng(0)  # FrozenLake shows chance only once it is walked on
    actions = [draw(config.spec.action, random) for _ in range(20)]
    shown = {str(play(environment, config, seed, actions)[0]) for seed in range(20)}
    environment.close()
    assert len(shown) > 1


def test_observations_and_actions_of_nested_spaces():
    config = Gymnasium("Nested-v0")
    environment = config.make()
    inner = environment.env.unwrapped
    shown = config.spec.new_observation()
    environment.reset(5, shown)
    action = np.array([[1, 2], [3, 4]], np.uint8)
    for steps in range(1, 9):
        result = environment.step(action, shown)
        number, bits = inner.shown["a b/c"]
        assert shown["a_b_c"][0] == number + 1
        assert (shown["a_b_c"][1] == bits).all()
        assert (shown["deep"]["box"] == inner.shown["deep"]["box"]).all()
        assert (shown["several"] == inner.shown["several"] - [2, -7]).all()
        assert inner.actions[-1].tolist() == [[2, 2], [0, 4]]
        assert result[:4] == (steps, steps, False, False)
        assert [type(part) for part in result[:4]] == [float, float, bool, bool]
    assert environment.step(action, shown).truncated, "by the limit that is registered"
    environment.close()


def test_the_score_is_the_reward_before_wrappers():
    """Also where a wrapper plays several steps for one."""
    config = Gymnasium("Sampled-v0", wrappers=[f"{tiny.NAME}:TwoSteps", f"{tiny.NAME}:Halved"])
    environment = checked.make(config)
    shown = config.spec.new_observation()
    for _ in range(2):
        environment.reset(0, shown)
        results = [environment.step(0, shown) for _ in range(3)]
        assert [result.score for result in results] == [1 + 2, 3 + 4, 5 + 6]
        assert [result.reward for result in results] == [1.5, 3.5, 5.5]


def test_what_is_played_in_a_reset_counts_for_the_first_step():
    class Begins(tiny.TwoSteps):
        def reset(self, **kwargs):
            super().reset(**kwargs)
            shown, *_, info = self.env.step(0)
            return shown, info

    tiny.Begins = Begins
    Begins.__qualname__, Begins.__module__ = "Begins", tiny.NAME
    config = Gymnasium("Sampled-v0", wrappers=[f"{tiny.NAME}:Begins"])
    environment = checked.make(config)
    shown = config.spec.new_observation()
    for _ in range(2):
        environment.reset(0, shown)
        assert [environment.step(0, shown).score for _ in range(2)] == [1 + 2 + 3, 4 + 5]


@pytest.mark.parametrize("steps", [1, 4, 30])
def test_a_time_limit_of_our_own_replaces_the_registered_one(steps):
    config = Gymnasium("Sampled-v0", wrappers=[f"{tiny.NAME}:TwoSteps"], max_episode_steps=steps)
    environment = checked.make(config)
    shown = config.spec.new_observation()
    for _ in range(2):
        environment.reset(0, shown)
        endings = [environment.step(0, shown)[2:4] for _ in range(steps)]
        assert endings == [(False, False)] * (steps - 1) + [(False, True)]


@pytest.mark.parametrize("where", ["info", "observation"])
@pytest.mark.parametrize("tuples", [False, True])
@pytest.mark.parametrize("sizes", [(4,), (2, 3)])
def test_masks(where, tuples, sizes):
    config = Gymnasium("Masked-v0", kwargs={"where": where, "tuples": tuples, "sizes": sizes})
    environment = checked.make(config)
    shown = config.spec.new_observation()
    random = np.random.default_rng(0)
    for seed in range(5):
        environment.reset(seed, shown)
        over = False
        while not over:
            mask = np.split(shown["action_mask"], np.cumsum(sizes)[:-1])
            chosen = [random.choice(np.flatnonzero(part)) for part in mask]
            action = np.array(chosen, np.uint8) if len(sizes) > 1 else int(chosen[0])
            reward, _, over, *_ = environment.step(action, shown)
            assert reward == 1, "it was permitted"


@pytest.mark.parametrize(
    ("fault", "says"),
    [("missing", "is missing"), ("empty", "permits nothing"), ("shape", "has the shape")],
)
@pytest.mark.parametrize("where", ["info", "observation"])
def test_masks_that_break_the_rules(fault, says, where):
    config = Gymnasium("Masked-v0", kwargs={"where": where, "fault": fault})
    environment = checked.make(config)
    shown = config.spec.new_observation()
    environment.reset(0, shown)
    with pytest.raises(checked.ProtocolError, match=f"env step 0 of its episode.*{says}") as error:
        environment.step(0, shown)
    assert len(str(error.value).splitlines()) == 1


def test_of_a_batch_some_episodes_may_be_over():
    environment = Gymnasium("Masked-v0", kwargs={"where": "info"}).make()
    shown, info = environment.env.reset(seed=0)
    nothing = {"action_mask": np.zeros_like(info["action_mask"])}
    assert environment.observed(shown, nothing, may_be_over=True)["action_mask"].all()
    for about, may_be_over, says in [
        (nothing, False, "permits nothing"),
        ({}, True, "is missing"),
        (None, True, "is missing"),
    ]:
        with pytest.raises(checked.ProtocolError, match=says):
            environment.observed(shown, about, may_be_over)


def test_at_the_end_no_mask_is_needed():
    config = Gymnasium("Masked-v0", kwargs={"fault": "none at the end"})
    environment = checked.make(config)
    shown = config.spec.new_observation()
    environment.reset(0, shown)
    for _ in range(5):
        result = environment.step(0, shown)
    assert result.terminated
    assert shown["action_mask"].all()


@pytest.mark.parametrize(
    "shown", [np.zeros(3), np.zeros((1, 2)), [0.5, 1], None, "ab", {"a": 1}, np.array([-1, 0])]
)
def test_observations_that_are_not_of_their_space(shown):
    config = Gymnasium("Faulty-v0", kwargs={"shown": shown})
    environment = checked.make(config)
    observation = config.spec.new_observation()
    environment.reset(0, observation)
    with pytest.raises(
        checked.ProtocolError, match="Faulty-v0 broke a rule in env step 0"
    ) as error:
        environment.step(0, observation)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("bounded_by", ["clip", "tanh"])
def test_what_is_chosen_without_bounds_is_played_within(dtype, bounded_by):
    box = spaces.Box(np.array([-0.1, 3]), np.array([0.1, 7.7]), dtype=np.dtype(dtype))
    config = Gymnasium("Sampled-v0", kwargs={"action_space": box}, bounded_by=bounded_by)
    environment = checked.make(config)
    shown = config.spec.new_observation()
    environment.reset(0, shown)
    for scale in (0.01, 1, 1e9):
        environment.step(np.float32([scale, -scale]), shown)  # asserts that it is in the space
        environment.step(np.float32([-scale, scale]), shown)


class Brief(tiny.Sampled):
    """Its episodes end after a frame."""

    def step(self, action):
        shown, reward, _, truncated, info = super().step(action)
        return shown, reward, True, truncated, info


@pytest.mark.parametrize(
    "name", ["MaxAndSkipObservation", "gymnasium.wrappers:MaxAndSkipObservation"]
)
def test_frames_of_the_episode_before_are_not_seen(name):
    [(wrapper, kwargs)] = wrapping.find([name])
    used = wrapper(Brief(), **kwargs)
    for seed in range(5):
        fresh = wrapper(Brief(), **kwargs)
        for env in (used, fresh):
            env.reset(seed=seed)
        np.testing.assert_array_equal(used.step(0)[0], fresh.step(0)[0])
