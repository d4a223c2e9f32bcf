import types

import pytest

from hts_tf.environments.football import match as football_match


class FakeEngine:
    """Notes how episodes are started; `players` are on the pitch after each step."""

    def __init__(self):
        self.calls = []
        self.config = types.SimpleNamespace()
        self.players = [types.SimpleNamespace(is_active=True)]

    def reset(self, scenario, animations):
        self.calls.append("reset")

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


class FakeConfig(dict):
    def NewScenario(self, inc):  # noqa: N802  gfootball's name
        assert inc == 0

    def ScenarioConfig(self):  # noqa: N802
        return None


@pytest.fixture
def engine(monkeypatch):
    engine = FakeEngine()
    monkeypatch.setattr(football_match, "_idle_engines", [engine])
    return engine


def test_only_the_first_episode_builds_a_match(engine):
    config = FakeConfig()
    match = football_match.FootballMatch(config)
    for seed in (7, 8, 9):
        match.start(seed)
    assert engine.calls == ["reset", "set_state", "set_state"]
    assert config == {
        "game_engine_random_seed": 7,
        "reverse_team_processing": False,
        "episode_number": 1,
    }
    assert engine.config.game_engine_random_seed == 9


def test_a_match_in_which_a_player_was_sent_off_is_not_reused(engine):
    match = football_match.FootballMatch(FakeConfig())
    match.start(1)
    engine.players = [types.SimpleNamespace(is_active=False)]
    match.play()
    engine.players = [types.SimpleNamespace(is_active=True)]
    match.start(2)
    match.start(3)
    assert engine.calls == ["reset", "reset", "set_state"]


def test_closing_leaves_the_engine_to_the_next_match(engine):
    first = football_match.FootballMatch(FakeConfig())
    first.start(1)
    first.close()
    football_match.FootballMatch(FakeConfig()).start(1)
    assert engine.calls == ["reset", "reset"]
