import types

import pytest

from hts_tf.environments.football import match as football_match
from hts_tf.environments.football import scenario as football_scenario


class FakeEngine:
    """Notes how episodes are started; `players` are on the pitch after each step."""

    def __init__(self):
        self.calls = []
        self.config = types.SimpleNamespace(deterministic=False, game_engine_random_seed=None)
        self.players = [types.SimpleNamespace(is_active=True)]

    def reset(self, scenario, animations):
        self.calls.append(f"reset {scenario}")

    def get_state(self, pickled):
        return b"before kick-off"

    def set_state(self, state):
        assert state == b"before kick-off"
        self.calls.append("set_state")

    def step(self):
        pass

    def get_info(self):
        return types.SimpleNamespace(
            is_in_play=True, left_team=self.players, right_team=self.players
        )


class FakeScenario:
    """Gives the engine the seed as its rules."""

    config = None

    def __init__(self, drawn=False):
        self.drawn = drawn

    def setup(self, seed):
        config = types.SimpleNamespace(ScenarioConfig=lambda: seed)
        return football_scenario.Setup(config, self.drawn)


@pytest.fixture
def engine(monkeypatch):
    engine = FakeEngine()
    monkeypatch.setattr(football_match, "_idle_engines", [engine])
    return engine


def test_only_the_first_episode_builds_a_match(engine):
    match = football_match.FootballMatch(FakeScenario())
    for seed in (7, 8, 9):
        match.start(seed)
    assert engine.calls == ["reset 7", "set_state", "set_state"]
    assert engine.config.game_engine_random_seed == 9


def test_a_deterministic_scenario_keeps_the_seed_that_it_has_set(engine):
    engine.config = types.SimpleNamespace(deterministic=True, game_engine_random_seed=42)
    match = football_match.FootballMatch(FakeScenario())
    match.start(7)
    match.start(8)
    assert engine.config.game_engine_random_seed == 42


def test_each_episode_of_a_scenario_that_draws_builds_a_match(engine):
    match = football_match.FootballMatch(FakeScenario(drawn=True))
    for seed in (7, 8, 7):
        match.start(seed)
    assert engine.calls == ["reset 7", "reset 8", "reset 7"]


def test_a_match_in_which_a_player_was_sent_off_is_not_reused(engine):
    match = football_match.FootballMatch(FakeScenario())
    match.start(1)
    engine.players = [types.SimpleNamespace(is_active=False)]
    match.play()
    engine.players = [types.SimpleNamespace(is_active=True)]
    match.start(2)
    match.start(3)
    assert engine.calls == ["reset 1", "reset 2", "set_state"]


def test_closing_leaves_the_engine_to_the_next_match(engine):
    first = football_match.FootballMatch(FakeScenario())
    first.start(1)
    first.close()
    football_match.FootballMatch(FakeScenario()).start(1)
    assert engine.calls == ["reset 1", "reset 1"]
