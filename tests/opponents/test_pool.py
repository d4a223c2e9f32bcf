import collections
import dataclasses
import functools

import gin
import numpy as np
import pytest

from hts_tf import errors, specs
from hts_tf.collecting.policy import Policy
from hts_tf.files import policies
from hts_tf.files.policies import Snapshots
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.opponents import pool, ratings, roster, weightings
from hts_tf.opponents.pool import Opponents, Pool, Store
from hts_tf.opponents.scripted import Always

pytestmark = pytest.mark.usefixtures("op_determinism")

SPEC = specs.EnvironmentSpec(
    specs.ArraySpec((3,), "float32"),
    specs.DiscreteSpec(num_values=4),
    max_episode_steps=10,
    num_players=2,
    num_rivals=1,
)
NOBODY = np.zeros(3, np.int32)


def make_agent(seed=0, units=4, activation="relu"):
    torso = functools.partial(torsos.mlp, units=(units,), activation=activation)
    agent = ActorCritic(SPEC, 0, torso)
    random = np.random.default_rng(seed)
    for variable in agent.variables:
        variable.assign(random.normal(0.0, 1.0, variable.shape).astype(np.float32))
    return agent


@functools.cache
def batching():
    """Of agents of this kind, which is not what is tested here."""
    return Policy(make_agent(), 8).batching


def policy_of(agent):
    return Policy(agent, 8, batching())


def make_pool(directory, agent=None, seed=7, **settings):
    settings = Opponents(**{"snapshot_every_updates": 2, **settings})
    agent = agent or make_agent()
    store = Store(Snapshots(directory), Snapshots(directory, "frozen"), policies.load)
    found = Pool(settings, SPEC, policy_of(agent), make_agent, store, seed)
    found.begin()
    return found, agent


def met(found, num_episodes=2000):
    """Shares of whom episodes meet."""
    counts = collections.Counter(found.number(slot, 5) for slot in range(num_episodes))
    return {number: count / num_episodes for number, count in counts.items()}


def test_alone_everybody_meets_itself(tmp_path):
    found, _ = make_pool(tmp_path)
    assert met(found) == {pool.SELF: 1.0}


def test_shares(tmp_path):
    found, agent = make_pool(tmp_path, scripted=(Always,), self_play=0.4)
    shares = met(found)
    assert shares[pool.SELF] == pytest.approx(0.4, abs=0.04)
    assert shares[1] == pytest.approx(0.6, abs=0.04)
    for updates in range(1, 5):
        found.update([], agent, updates, NOBODY)
    shares = met(found)
    assert sorted(shares) == [0, 1, 2, 3]
    assert all(shares[n] == pytest.approx(0.2, abs=0.04) for n in (1, 2, 3))


def test_whom_an_episode_meets_is_its_own_affair(tmp_path):
    """A function of seed, environment, episode and table: asked in any order, by anybody."""
    one, _ = make_pool(tmp_path / "a", scripted=(Always,))
    other, _ = make_pool(tmp_path / "b", scripted=(Always,))
    places = [(slot, episode) for slot in range(20) for episode in range(5)]
    expected = {place: one.number(*place) for place in places}
    assert {place: other.number(*place) for place in reversed(places)} == expected
    another, _ = make_pool(tmp_path / "c", scripted=(Always,), seed=8)
    assert {place: another.number(*place) for place in places} != expected


def test_the_frozen_stay_as_they_were(tmp_path):
    found, agent = make_pool(tmp_path, self_play=0.0)
    observation = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    noise = np.zeros((6, 4), np.float32)
    found.update([], agent, 2, NOBODY)
    expected = policy_of(agent).act(observation, noise)
    for variable in agent.variables:
        variable.assign(-variable)
    now = policy_of(agent).act(observation, noise)
    answer = found.act(np.array([1, 0, 1, 0, 0, 1]), observation, noise, ())
    for row in range(6):
        by = expected if row in (0, 2, 5) else now
        assert answer.action[row] == by.action[row]
        np.testing.assert_array_equal(answer.policy["logits"][row], by.policy["logits"][row])
        assert answer.value[row] == by.value[row]
    assert (expected.action != now.action).any()


def test_scripted_ones_choose_and_no_more(tmp_path):
    found, agent = make_pool(tmp_path, scripted=(functools.partial(Always, action=2), Always))
    observation, noise = np.ones((3, 3), np.float32), np.zeros((3, 4), np.float32)
    answer = found.act(np.array([1, 2, 0]), observation, noise, ())
    expected = policy_of(agent).act(observation, noise)
    assert answer.action.tolist() == [2, 0, expected.action[2]]
    np.testing.assert_array_equal(answer.value, expected.value)


def test_the_pool_keeps_to_its_size_and_spans_all_of_the_past(tmp_path):
    found, agent = make_pool(tmp_path, pool_size=4, snapshot_every_updates=1)
    for updates in range(1, 41):
        found.update([], agent, updates, NOBODY)
        taken = found.state()["opponents/met"]
        assert len(taken) == min(updates, 4)
        assert taken[0] == 1  # the oldest
        assert taken[-1] == updates  # the newest
    gaps = np.diff(taken)
    assert gaps.max() <= 4 * gaps.min() + 4
    assert len(list((tmp_path / "snapshots").iterdir())) == 40  # the files stay


def test_who_is_being_played_stays_in_memory(tmp_path):
    found, agent = make_pool(tmp_path, pool_size=1, snapshot_every_updates=1)
    found.update([], agent, 1, NOBODY)
    playing = np.array([0, 1, 0], np.int32)
    for updates in (2, 3, 4):
        found.update([], agent, updates, playing)
    question = np.ones((1, 3), np.float32), np.zeros((1, 4), np.float32), ()
    found.act(np.array([1]), *question)
    found.update([], agent, 5, NOBODY)
    with pytest.raises(KeyError):
        found.act(np.array([1]), *question)


def test_who_may_just_be_chosen_stays_in_memory(tmp_path):
    """Without sync points an actor may have looked at the table before the last update."""
    found, agent = make_pool(tmp_path, pool_size=1, snapshot_every_updates=1)
    question = np.ones((1, 3), np.float32), np.zeros((1, 4), np.float32), ()
    for updates in (1, 2):
        found.update([], agent, updates, NOBODY)
    found.act(np.array([1]), *question)
    found.update([], agent, 2, NOBODY)
    with pytest.raises(KeyError):
        found.act(np.array([1]), *question)


def test_results_and_figures(tmp_path):
    found, agent = make_pool(tmp_path, scripted=(Always,), weighting=weightings.prioritised)
    found.update([(1, 1.0), (1, 0.0), (1, 2.0), (1, -1.0), (0, 3.0)], agent, 2, NOBODY)
    wins, draws = 0.99**3 + 0.99, 0.99**2  # of a win, a draw, a win, and a defeat
    np.testing.assert_allclose(
        found.state()["opponents/results"], [[1, 0, 0], [wins, draws, 1], [0, 0, 0]], rtol=1e-15
    )
    figures = found.figures()
    assert figures["opponents/pool"] == 2
    assert figures["opponents/win_rate/Always"] == pytest.approx(
        (wins + draws / 2 + 0.5) / (wins + draws + 2)
    )
    assert figures["opponents/win_rate/update 2"] == 0.5


def another_run(directory, updates, agent):
    """A workdir with a snapshot."""
    directory.mkdir(exist_ok=True)
    (directory / "config.gin").write_text("")
    Snapshots(directory).save(updates, agent)
    return f"{directory}@{updates}"


def test_those_of_one_name_are_told_apart(tmp_path):
    found, agent = make_pool(tmp_path, scripted=(Always, functools.partial(Always, action=2)))
    found.update([(1, 1.0)] * 9 + [(2, -1.0)] * 9, agent, 1, NOBODY)
    assert found.names == ["itself", "Always", "Always (2)"]
    won, lost = (found.figures()[f"opponents/win_rate/{name}"] for name in found.names[1:])
    assert won > 0.9
    assert lost < 0.1


def test_how_they_are_weighted_is_remembered_before_there_is_anybody(tmp_path, clean_gin):
    gin.parse_config("prioritised.power = 8.0")
    make_pool(tmp_path, weighting=weightings.prioritised)
    assert "prioritised.power = 8.0" in gin.operative_config_str()


def test_policies_of_other_runs(tmp_path):
    other = make_agent(seed=5)
    name = another_run(tmp_path / "other", 7, other)
    settings = {"frozen": (name,), "scripted": (Always,), "self_play": 0.0}
    found, agent = make_pool(tmp_path / "own", **settings)
    assert sorted(met(found)) == [1, 2]
    observation = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    noise = np.zeros((4, 4), np.float32)
    expected = policy_of(other).act(observation, noise)
    answer = found.act(np.array([2, 2, 2, 2]), observation, noise, ())
    assert answer.action.tolist() == expected.action.tolist()
    # What becomes of the other run is nothing to this one.
    another_run(tmp_path / "other", 7, make_agent(seed=6))
    found.update([(2, -1.0)], agent, 2, NOBODY)
    assert sorted(met(found)) == [1, 2, 3]
    again, _ = make_pool(tmp_path / "own", agent, **settings)
    again.restore(found.state(), NOBODY)
    for each in (found, again):
        answer = each.act(np.array([2, 2, 2, 2]), observation, noise, ())
        assert answer.action.tolist() == expected.action.tolist()
    assert found.figures()[f"opponents/win_rate/{name}"] == 0.25


def test_policies_of_other_runs_that_cannot_be_met(tmp_path):
    with pytest.raises(errors.ConfigError, match=r"nowhere holds no run"):
        make_pool(tmp_path / "own", frozen=("nowhere",))
    name = another_run(tmp_path / "other", 7, make_agent(units=5))
    with pytest.raises(errors.ConfigError, match=r"000000007\.ckpt is of another network"):
        make_pool(tmp_path / "own", frozen=(name,))
    name = another_run(tmp_path / "other", 9, make_agent(activation="tanh"))
    with pytest.raises(errors.ConfigError, match=r"another network: .*Dense tanh.*, not .*relu"):
        make_pool(tmp_path / "own", frozen=(name,))
    sees_more = dataclasses.replace(SPEC, observation=specs.ArraySpec((3,), "float32", 2.0))
    agent = ActorCritic(sees_more, 0, functools.partial(torsos.mlp, units=(4,)))
    name = another_run(tmp_path / "other", 8, agent)
    with pytest.raises(errors.ConfigError, match="observes or acts otherwise"):
        make_pool(tmp_path / "own", frozen=(name,))


def test_ratings(tmp_path):
    """Of who the learner was between two snapshots; all results count, of whenever."""
    found, agent = make_pool(tmp_path, scripted=(Always,))
    won, lost = [(1, 1.0)] * 8 + [(1, -1.0)] * 2, [(1, 1.0)] * 2 + [(1, -1.0)] * 8
    found.update(lost, agent, 2, NOBODY)
    first = found.figures()["opponents/rating"]
    found.update(won + [(2, 1.0)] * 9 + [(2, -1.0)], agent, 3, NOBODY)
    assert not [name for name in found.figures() if "rating" in name]  # no snapshot
    found.update([], agent, 4, NOBODY)
    figures = found.figures()
    second = figures["opponents/rating"]
    table = np.zeros((3, 3))  # the scripted one, and the two that are frozen now
    table[0, 1], table[1, 0] = 8, 2
    table[0, 2], table[2, 0] = 2, 8
    table[1, 2], table[2, 1] = 1, 9
    rating = ratings.bradley_terry(table).rating
    assert second == pytest.approx(rating[2] - rating[0])
    assert first < 0 < second
    # Of who was there already: what it has scored since may say something else of the first one.
    others = {name: figures[name] for name in figures if name.startswith(pool.RATING)}
    expected = {"Always": 0.0, "update 2": rating[1] - rating[0]}
    assert others == pytest.approx({f"{pool.RATING}{name}": r for name, r in expected.items()})
    np.testing.assert_array_equal(found.state()["opponents/points"][1:, 1:], table)


def test_another_machine_needs_those_snapshots_that_can_be_met(tmp_path):
    found, agent = make_pool(
        tmp_path, pool_size=2, snapshot_every_updates=1, scripted=(Always,), self_play=0.0
    )
    for updates in range(1, 6):
        found.update([], agent, updates, NOBODY)
    playing = np.array([0, 1, 3], np.int32)  # the third is the second snapshot, met for a while yet
    needed = roster.met_from({**found.state(), "ledger/met": playing})
    assert sorted(needed) == [1, 2, 5]
    own = Snapshots(tmp_path)
    for updates in {1, 2, 3, 4, 5}.difference(needed):
        own.path(updates).unlink()
    again, _ = make_pool(tmp_path, agent, pool_size=2, scripted=(Always,), self_play=0.0)
    again.restore(found.state(), playing)
    assert met(again) == met(found)


def test_restored_it_goes_on_as_it_would_have(tmp_path):
    found, agent = make_pool(tmp_path, pool_size=2, snapshot_every_updates=1)
    for updates in (1, 2, 3):
        found.update([(n, 1.0) for n in range(updates)], agent, updates, NOBODY)
    state, playing = found.state(), np.array([2, 0, 0], np.int32)
    again, _ = make_pool(tmp_path, agent, pool_size=2, snapshot_every_updates=1)
    again.restore(state, playing)
    assert met(again) == met(found)
    for each in (found, again):
        each.update([(3, -1.0)], agent, 4, playing)
    assert met(again) == met(found)
    for name, array in found.state().items():
        np.testing.assert_array_equal(array, again.state()[name])


def test_snapshots_that_cannot_be_used(tmp_path):
    found, agent = make_pool(tmp_path)
    found.update([], agent, 2, NOBODY)
    [path] = (tmp_path / "snapshots").iterdir()
    state, content = found.state(), path.read_bytes()
    fresh, _ = make_pool(tmp_path)
    path.write_bytes(content[:-1])
    with pytest.raises(errors.ConfigError, match=r"000000002\.ckpt is damaged"):
        fresh.restore(state, NOBODY)
    path.unlink()
    with pytest.raises(errors.ConfigError, match=r"000000002\.ckpt cannot be read"):
        fresh.restore(state, NOBODY)
    with pytest.raises(errors.ConfigError, match=r"snapshot .* is of another network"):
        Snapshots(tmp_path).save(2, make_agent(units=5))
        fresh.restore(state, NOBODY)


def test_what_is_refused(tmp_path):
    for action in (4, -1):
        with pytest.raises(errors.ConfigError, match=rf"Always\.action = {action} is none"):
            make_pool(tmp_path, scripted=(functools.partial(Always, action=action),))
    for weights in (np.ones(5), [-1.0], [np.inf], [np.nan]):
        for scripted in ((), (Always,)):  # also before there is anybody
            with pytest.raises(errors.ConfigError, match="weighting must return"):
                make_pool(tmp_path, scripted=scripted, weighting=lambda results, w=weights: w)
    with pytest.raises(errors.ConfigError, match="self_play"):
        Opponents(self_play=1.5)
    with pytest.raises(errors.ConfigError, match=r"nobody of Opponents\.scripted or frozen"):
        Opponents(self_play=1.0, scripted=(Always,)).check(num_updates=1000, policy_lag=1)
