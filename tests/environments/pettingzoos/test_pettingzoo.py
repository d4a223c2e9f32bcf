import dataclasses
import pickle

import numpy as np
import pytest

pytest.importorskip("pettingzoo")

from gymnasium import spaces

from hts_tf import errors, specs, trees
from hts_tf.environments import checked, history, random_actions
from hts_tf.environments.pettingzoos.pettingzoo import PettingZoo
from hts_tf.files import archive
from hts_tf.networks import torsos
from hts_tf.watching import keyboard
from tests import command_line, zoo

DIFFERENT = {"sizes": (2, 4, 3), "values": (3, 2, 5)}


def herd(**settings):
    kwargs = settings.pop("kwargs", None)
    return PettingZoo("tests.zoo", kwargs, **settings)


def play(config, seed, most=20):
    """Yields observations, before each env step, who was there, and what the step brought."""
    game, observation = checked.make(config), config.spec.new_observation()
    random = np.random.default_rng(seed)
    game.reset(seed, observation)
    there = np.ones(config.spec.players, bool)
    for _ in range(most):
        seen = trees.map(np.copy, observation)
        action = random_actions.draw_for_all(config.spec, observation, random)
        result = game.step(specs.plain(action), observation)  # as executors hand it over
        yield seen, action, there, result
        there = there & ~(result.terminated | result.truncated)
        if result.is_over:
            break
    game.close()


def test_spec_of_equal_agents():
    spec = herd().spec
    assert spec.observation == specs.ArraySpec((3,), "float32")
    assert spec.action == specs.DiscreteSpec(num_values=3)
    assert (spec.num_players, spec.max_episode_steps) == (3, 8)
    assert herd(max_episode_steps=5).spec.max_episode_steps == 5
    assert not herd(history_free=False).spec.history_free


def test_one_that_is_another_each_time():
    game = herd()
    game.__dict__["spec"] = dataclasses.replace(game.spec, num_players=4)
    with pytest.raises(checked.ProtocolError, match="other agents or spaces each time"):
        game.make()


def test_spec_of_different_agents():
    spec = herd(kwargs=DIFFERENT, agent_indicator=True, critic_state=True).spec
    assert spec.observation == {
        "observation": specs.ArraySpec((4,), "float32"),
        specs.ACTION_MASK: specs.ArraySpec((5,), "bool"),
        "agent": specs.DiscreteSpec(num_values=3),
        specs.CRITIC_STATE: specs.ArraySpec((4,), "float32"),
    }
    assert spec.action.num_values == 5


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_pettingzoo_plays(seed):
    stock = zoo.Herd()
    shown, _ = stock.reset(seed=seed)
    for seen, action, there, result in play(herd(), seed):
        live = [agent in stock.agents for agent in stock.possible_agents]
        np.testing.assert_array_equal(there, live)
        for index, agent in enumerate(stock.possible_agents):
            expected = shown.get(agent, np.zeros(3))
            np.testing.assert_array_equal(seen[index], expected)
        actions = {agent: action[stock.possible_agents.index(agent)] for agent in stock.agents}
        shown, rewards, terminated, truncated, _ = stock.step(actions)
        for index, agent in enumerate(stock.possible_agents):
            assert result.reward[index] == np.float32(rewards.get(agent, 0))
            assert result.terminated[index] == terminated.get(agent, True)
            assert result.truncated[index] == truncated.get(agent, False)
    assert result.is_over
    assert not stock.agents


def test_agents_that_differ():
    config = herd(kwargs=DIFFERENT, agent_indicator=True, critic_state=True)
    for step, (seen, action, there, _) in enumerate(play(config, 3)):
        assert not seen["observation"][0, 2:].any()
        assert not seen["observation"][2, 3:].any()
        assert seen[specs.ACTION_MASK][there].sum(1).tolist() == np.array([3, 2, 5])[there].tolist()
        assert seen["agent"][there].tolist() == np.arange(3)[there].tolist()
        np.testing.assert_array_equal(seen[specs.CRITIC_STATE], np.float32(step / 8))
        assert (action < [3, 2, 5])[there].all()


TWO = spaces.Box(0, 1, (2,))
STATES = {
    "tuple": (spaces.Tuple([TWO, TWO]), ([0.1, 0.2], [0.9, 0.8])),
    "dict": (spaces.Dict({"a": spaces.Discrete(7)}), {"a": 5}),
    "number": (spaces.Discrete(7), 6),
}


class Stateful(zoo.Herd):
    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.state_space, self._state = STATES[kind]

    def state(self):
        return self._state


zoo.stateful = zoo._module("stateful", Stateful)


class Knowing(zoo.Herd):
    """Each agent observes what only its value is to see."""

    def _space(self, agent):
        seen = super()._space(agent)
        own = dict(seen.spaces) if isinstance(seen, spaces.Dict) else {"x": seen}
        return spaces.Dict({**own, specs.CRITIC_STATE: TWO})

    def _seen(self, agents):
        state = np.full(2, self._steps / 8, np.float32)
        return {
            agent: {**(own if isinstance(own, dict) else {"x": own}), specs.CRITIC_STATE: state}
            for agent, own in super()._seen(agents).items()
        }


zoo.knowing = zoo._module("knowing", Knowing)


@pytest.mark.parametrize(
    ("kwargs", "settings"),
    [({}, {}), ({}, {"agent_indicator": True}), ({"masked": True}, {})],
)
def test_a_state_that_agents_observe_is_for_values_alone(kwargs, settings):
    config = PettingZoo("tests.zoo.knowing", kwargs, **settings)
    names = dict(trees.named(torsos.seen_by_policy(config.spec.observation), ""))
    assert names
    assert not any(specs.CRITIC_STATE in name for name in names)
    for step, (seen, _, there, _) in enumerate(play(config, 1)):
        assert (seen[specs.CRITIC_STATE][there] == np.float32(step / 8)).all()
        vectors = seen.get("observation", seen)
        vector = vectors["observation" if kwargs else "x"]
        assert (vector[there] >= 1).any(axis=1).all()


def test_two_states():
    with pytest.raises(errors.ConfigError, match="observe an entry 'critic_state' of their own"):
        _ = PettingZoo("tests.zoo.knowing", critic_state=True).spec


@pytest.mark.parametrize("kind", STATES)
def test_states_of_any_space(kind):
    kwargs = {"kind": kind, "sizes": (3, 3), "values": (3, 3)}
    seen, *_ = next(play(PettingZoo("tests.zoo.stateful", kwargs, critic_state=True), 0))
    _, state = STATES[kind]
    for player in range(2):
        own = trees.map(lambda array, player=player: array[player], seen[specs.CRITIC_STATE])
        trees.map(np.testing.assert_allclose, own, trees.map(np.float32, state))


def test_masks_that_are_observed():
    config = herd(kwargs={"masked": True})
    assert config.spec.observation == {
        "observation": specs.ArraySpec((3,), "float32"),
        specs.ACTION_MASK: specs.ArraySpec((3,), "bool"),
    }
    for seed in range(5):  # what is not permitted raises
        assert list(play(config, seed))


def test_masks_that_are_told():
    observed, told = (herd(kwargs={"masked": True, "told": told}) for told in (False, True))
    assert told.spec == observed.spec
    for seed in range(3):
        for one, other in zip(play(told, seed), play(observed, seed), strict=True):
            trees.map(np.testing.assert_array_equal, one[0], other[0])


def test_what_is_beside_a_mask_may_be_called_otherwise_by_each():
    plain = herd(kwargs={"masked": True, "sizes": (3, 5, 4)})
    named = herd(kwargs={**plain.kwargs, "keys": ("observation", "seen", "shown")})
    assert named.spec == plain.spec
    for one, other in zip(play(named, 0), play(plain, 0), strict=True):
        trees.map(np.testing.assert_array_equal, one[0], other[0])


def test_time_limit():
    played = list(play(herd(max_episode_steps=3), 0))
    assert len(played) == 3
    *_, there, last = played[-1]
    assert last.is_valued
    np.testing.assert_array_equal(last.truncated, there & ~last.terminated)


def test_rivals_are_the_last_players():
    plain, spec = herd().spec, herd(rivals=("sheep_1", "sheep_0")).spec
    assert spec == dataclasses.replace(plain, num_rivals=2)
    order = [2, 1, 0]
    config = herd(kwargs=DIFFERENT, agent_indicator=True, rivals=("sheep_1", "sheep_0"))
    seen, *_ = next(play(config, 3))
    stock, *_ = next(play(herd(kwargs=DIFFERENT, agent_indicator=True), 3))
    for name in ("observation", specs.ACTION_MASK):
        np.testing.assert_array_equal(seen[name], stock[name][order])
    np.testing.assert_array_equal(seen["agent"], order)  # who is who does not change


@pytest.mark.parametrize("seed", range(3))
def test_rivals_play_the_same_game(seed):
    """With a score that says which side is ahead."""
    plain, sides = (herd(rivals=rivals) for rivals in ((), ("sheep_1", "sheep_0")))
    games = [(checked.make(c), c.spec.new_observation()) for c in (plain, sides)]
    for game, observation in games:
        game.reset(seed, observation)
    order, over = [2, 1, 0], False
    random = np.random.default_rng(seed)
    while not over:
        action = random.integers(0, 3, 3)
        (one, seen), (two, seen_by_sides) = games
        expected, found = one.step(action, seen), two.step(action[order], seen_by_sides)
        np.testing.assert_array_equal(seen_by_sides, seen[order])
        for name in ("reward", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name)[order])
        ahead = (found.reward[0] - np.mean(found.reward[1:])) / 2
        for side, score in ((slice(1), ahead), (slice(1, 3), -ahead)):
            # Also of a side that has gone: what the other gains then decides, too.
            assert found.score[side] == pytest.approx(score, rel=1e-5)
        over = found.is_over
    for game, _ in games:
        game.close()


def test_one_agent_is_a_single_player():
    config = herd(kwargs={"sizes": (3,), "values": (3,)})
    assert config.spec.players == ()
    assert all(np.ndim(seen) == 1 for seen, *_ in play(config, 0))
    assert not history.find_out(config, [1, 2]).differences


class Bounded(zoo.Herd):
    """Agents whose spaces differ by their bounds, or first numbers, alone."""

    def __init__(self, kinds, **kwargs):
        self._kinds = kinds
        super().__init__(**kwargs)

    def _space(self, agent):
        return self._kinds[self.possible_agents.index(agent)]

    def _seen(self, agents):
        super()._seen(agents)
        return {agent: self.observation_space(agent).sample() for agent in agents}


zoo.bounded = zoo._module("bounded", Bounded)


@pytest.mark.parametrize(
    "kinds",
    [
        [spaces.Dict(at=spaces.Box(0, most, (2,))) for most in (1, 2, 3)],
        [spaces.Discrete(5, start=start) for start in (0, 1, -7)],
        [spaces.Box(0, most, (8, 8, 3)) for most in (1, 2, 3)],
    ],
)
def test_bounds_and_first_numbers_may_differ(kinds):
    config = PettingZoo("tests.zoo.bounded", {"kinds": kinds})
    seen, _, there, _ = next(play(config, 0))
    assert there.all()
    assert all(leaf.shape[0] == 3 for leaf in trees.leaves(seen))


def test_free_of_history_and_travels():
    config = pickle.loads(pickle.dumps(herd()))
    findings = history.find_out(config, [1, 2])
    assert not findings.differences
    assert findings.seeds_matter


def test_its_own_test():
    assert herd().check() == []


WORDS = ["1.5", "no", "yes"]  # where there should be a reward and endings


class Odd(zoo.Herd):
    def __init__(self, what, **kwargs):
        super().__init__(**kwargs)
        self._what = what
        if what == "no limit":
            del self.max_cycles
        if what == "nobody":
            self.possible_agents = []

    def observation_space(self, agent):
        if self._what == "spaces" and agent == "sheep_1":
            return self.action_space(agent)
        return super().observation_space(agent)

    def action_space(self, agent):
        if self._what == "actions" and agent == "sheep_1":
            return spaces.MultiBinary(2)
        if self._what == "boundless":
            return spaces.Box(0, np.inf, (1,))
        return super().action_space(agent)

    def render(self):
        return None

    def close(self):
        if self._what == "broken":
            raise OSError("no such window")
        super().close()

    def state(self):
        return np.zeros(9) if self._what == "state" else super().state()

    def reset(self, seed=None, options=None):
        seen, infos = super().reset(seed, options)
        if self._what == "broken":
            raise RuntimeError("cannot begin")
        if self._what == "late":
            self.agents = self.agents[1:]
        if self._what == "shape":
            seen["sheep_2"] = np.zeros(7)
        if self._what == "short":
            seen["sheep_1"] = np.zeros(2)
        if self._what == "unseen at first":
            del seen["sheep_1"]
        return seen, infos

    def step(self, actions):
        seen, rewards, *rest = super().step(actions)
        if self._what == "unseen":
            seen.pop("sheep_1", None)
        if self._what == "unpaid":
            rewards.pop("sheep_1", None)
        if self._what in WORDS:
            [rewards, *rest][WORDS.index(self._what)]["sheep_0"] = self._what
        if self._what in ("unseen at last", "unpaid at last", "again"):
            if self._what == "again" and "sheep_1" not in actions:
                self.agents = ["sheep_1", *self.agents]
            else:
                self.agents.remove("sheep_1")
            rest[0]["sheep_1"], rest[1]["sheep_1"] = False, True
        if self._what == "of who has left":
            gone = {agent: None for agent in self.possible_agents if agent not in actions}
            rewards, *rest = ({**gone, **said} for said in (rewards, *rest))
        if self._what == "unseen at last":
            del seen["sheep_1"]
        if self._what == "unpaid at last":
            del rewards["sheep_1"]
        return seen, rewards, *rest


zoo.odd = zoo._module("odd", Odd)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"module": "nowhere"}, "module names nowhere, which is not imported"),
        ({"module": "tests.command_line"}, "has no function parallel_env"),
        ({"module": "tests.zoo", "kwargs": {"wool": 1}}, "cannot be built: TypeError"),
        (  # and that it cannot be closed hides nothing
            {"module": "tests.zoo.odd", "kwargs": {"what": "broken"}},
            "cannot be built: RuntimeError: cannot begin",
        ),
        (
            {"module": "tests.zoo.odd", "kwargs": {"what": "spaces"}},
            r"observations that differ .*\), Discrete\(3\); ",
        ),
        (
            {"module": "tests.zoo.odd", "kwargs": {"what": "actions"}},
            r"actions that differ .*: Discrete\(3\), MultiBinary\(2\)",
        ),
        (
            {"module": "tests.zoo.odd", "kwargs": {"what": "boundless"}, "bounded_by": "tanh"},
            r"PettingZoo\.bounded_by = 'tanh' does not go with Box",
        ),
        ({"module": "tests.zoo.odd", "kwargs": {"what": "no limit"}}, "has no max_cycles"),
        ({"module": "tests.zoo.odd", "kwargs": {"what": "nobody"}}, "odd has no possible_agents"),
        ({"module": "tests.zoo", "rivals": ("wolf",)}, "no agent 'wolf'; there are sheep_0, sheep"),
        ({"module": "tests.zoo", "rivals": ("sheep_1",) * 2}, "rivals .*: one is named twice"),
        (
            {"module": "tests.zoo", "rivals": ("sheep_0", "sheep_1", "sheep_2")},
            "rivals has all agents: nobody would learn",
        ),
    ],
)
def test_what_is_refused(settings, says):
    import tests.command_line  # noqa: F401

    with pytest.raises(errors.ConfigError, match=says):
        _ = PettingZoo(**settings).spec


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("late", "begins without 'sheep_0'"),
        ("shape", "what 'sheep_2' observes"),
        ("state", r"in reset: its state\(\): "),
        ("unseen at first", "in reset: 'sheep_1' is there, but observes nothing"),
        ("unseen", "in env step 0 .* 'sheep_1' has not terminated, but observes nothing"),
        ("unpaid", "in env step 0 .* 'sheep_1' was there, but has no reward"),
        ("short", "what 'sheep_1' observes: has float64 .2,. where its space has .4,."),
        ("unseen at last", "in env step 0 .* 'sheep_1' has not terminated, but observes nothing"),
        ("unpaid at last", "in env step 0 .* 'sheep_1' was there, but has no reward"),
        ("again", "in env step 1 .* 'sheep_1' had left, but is there again"),
        ("1.5", "'sheep_0': the reward is '1.5', not a number"),
        ("no", "'sheep_0': terminated is 'no', neither true nor false"),
        ("yes", "'sheep_0': truncated is 'yes', neither true nor false"),
    ],
)
def test_broken_rules(what, says):
    kwargs = {"what": what, **(DIFFERENT if what == "short" else {})}
    config = PettingZoo("tests.zoo.odd", kwargs, critic_state=what == "state")
    with pytest.raises(checked.ProtocolError, match=says):
        list(play(config, 0))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_said_of_those_who_have_left_is_nothing(seed):
    odd = PettingZoo("tests.zoo.odd", {"what": "of who has left"})
    for (*_, there, result), (*_, expected) in zip(
        play(odd, seed), play(herd(), seed), strict=True
    ):
        np.testing.assert_array_equal(result.reward, expected.reward)
        np.testing.assert_array_equal(result.terminated, expected.terminated)
        assert not result.reward[~there].any()


@pytest.mark.slow
def test_two_sides_from_a_training_to_a_tournament(tmp_path):
    """A game that comes with PettingZoo, with a pool; one agent against another."""
    bindings = [
        "PettingZoo.max_episode_steps = 15",
        "PettingZoo.rivals = ('player_1',)",
        "Trainer.opponents = @Opponents()",
        "Opponents.snapshot_every_updates = 2",
        "Trainer.num_envs = 4",
        "Trainer.sync_interval = 16",
        "Trainer.total_env_steps = 384",
        "PPO.num_minibatches = 2",
    ]
    workdir = tmp_path / "run"
    scenario = "--scenario=pettingzoo:pettingzoo.classic.rps_v2"  # rock, paper, scissors
    flags = [f"--workdir={workdir}", scenario, command_line.ONE_EXECUTOR]
    flags += [f"--gin_bindings={binding}" for binding in bindings]
    code, _, text = command_line.run("hts_tf.train", *flags)
    assert code == 0, text
    met = {record.against for record in archive.read(workdir / archive.FILE_NAME)}
    assert {"itself", "update 2"} <= met
    output = tmp_path / "tournament"
    code, printed, text = command_line.run(
        "hts_tf.tournament",
        f"--workdirs={workdir},{workdir}@2",
        "--episodes=4",
        "--processes=1",
        f"--output={output}",
        "--modules=pettingzoo",
    )
    assert code == 0, text
    assert "2 of 2" in printed
    code, _, text = command_line.run(
        "hts_tf.evaluate",
        f"--workdir={workdir}",
        "--opponent=AI 0.05",
        "--modules=pettingzoo",
    )
    assert code == 2
    assert "PettingZoo: AI 0.05 is of football" in text


def test_pictures():
    view = herd().watch()
    observation = view.spec.new_observation()
    view.reset(0, observation)
    assert view.picture().size == (30, 20)
    assert (view.title, view.fps) == ("zoo", 5.0)
    assert view.action_name(np.array([0, 1, 2])) == ""
    assert keyboard.of(view.spec.action, view.action_name).names == {n: n for n in "012"}
    view.close()
    with pytest.raises(errors.ConfigError, match=r"odd has no pictures .* renders object"):
        PettingZoo("tests.zoo.odd", {"what": "blind"}).watch()
