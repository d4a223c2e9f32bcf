import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import rollouts, seeding, trees
from hts_tf.collecting.ledger import Place
from hts_tf.files.archive import Record
from hts_tf.files.episodes import WINDOW, Episode, EpisodeTracker


def make_rollouts(
    seed, num_intervals, num_steps, num_envs, density, action_shape=(), num_players=1
):
    """Intervals with rewards and scores that add up exactly in any order."""
    random = np.random.default_rng(seed)
    steps = num_steps, num_envs, num_players
    intervals = []
    for _ in range(num_intervals):
        endings = random.random(steps)
        intervals.append(
            rollouts.Rollout(
                action=random.integers(0, 19, (*steps, *action_shape)).astype(np.uint8),
                reward=random.integers(-8, 9, steps).astype(np.float32) / 4,
                score=random.integers(-1, 2, steps).astype(np.float32),
                terminated=endings < density / 2,
                truncated=endings > 1 - density / 2,
            )
        )
    return intervals


SEED = 7


def naive_records(intervals):
    """Follows one environment after another; in the order in which episodes ended."""
    records = {}
    for slot in range(intervals[0].reward.shape[1]):
        score = episode_return = 0.0
        actions = []
        now = number = 0
        for interval, rollout in enumerate(intervals):
            for step in range(len(rollout.reward)):
                score += rollout.score[step, slot].mean()
                episode_return += rollout.reward[step, slot].mean()
                actions.append(rollout.action[step, slot])
                now += 1
                if (rollout.terminated[step, slot] | rollout.truncated[step, slot]).all():
                    seed = seeding.episode_seed(SEED, slot, number)
                    records[now, slot] = Record(
                        slot,
                        number,
                        seed,
                        interval,
                        score,
                        episode_return,
                        b"".join(action.tobytes() for action in actions),
                        actions[0].nbytes,
                    )
                    score = episode_return = 0.0
                    actions = []
                    number += 1
    return [records[key] for key in sorted(records)]


def naive_episodes(intervals):
    return [Episode(r.score, r.episode_return, r.length) for r in naive_records(intervals)]


def track(intervals):
    tracker = EpisodeTracker(intervals[0].reward.shape[1], SEED)
    for interval, rollout in enumerate(intervals):
        tracker.add(rollout, interval)
    return tracker


def ledger_after(intervals, slot):
    """What `Ledger.current` says at the sync point after some intervals."""
    number, actions = 0, []
    for rollout in intervals:
        for step in range(len(rollout.reward)):
            actions.append(rollout.action[step, slot])
            if (rollout.terminated[step, slot] | rollout.truncated[step, slot]).all():
                number, actions = number + 1, []
    return Place(number, len(actions), 0, False), np.array(actions, np.uint8)


some_rollouts = st.builds(
    make_rollouts,
    seed=st.integers(0, 2**32 - 1),
    num_intervals=st.integers(1, 4),
    num_steps=st.integers(1, 6),
    num_envs=st.integers(1, 4),
    density=st.floats(0, 1),
    action_shape=st.sampled_from([(), (3,)]),
    num_players=st.sampled_from([1, 2, 4]),
)


@given(some_rollouts)
def test_episodes_against_a_naive_loop(intervals):
    tracker = track(intervals)
    expected = naive_episodes(intervals)
    assert list(tracker.recent) == expected
    assert tracker.finished == len(expected)
    if expected:
        assert tracker.means() == pytest.approx(tuple(np.mean(expected, axis=0)))
    else:
        assert tracker.means() is None


@given(some_rollouts)
def test_finished_episodes_are_returned_with_their_actions(intervals):
    tracker = EpisodeTracker(intervals[0].reward.shape[1], SEED)
    records = [tracker.add(rollout, interval) for interval, rollout in enumerate(intervals)]
    assert [record for interval in records for record in interval] == naive_records(intervals)


@given(some_rollouts, st.randoms(use_true_random=False))
def test_unrolls_of_any_slots_can_be_counted_in(intervals, random):
    """Each slot's in the order of time; those of different slots in any, also twice at once."""
    num_envs = intervals[0].reward.shape[1]
    counted = [0] * num_envs
    slots = [slot for slot in range(num_envs) for _ in intervals]
    random.shuffle(slots)
    tracker = EpisodeTracker(num_envs, SEED)
    columns = []
    for slot in slots:
        rollout = intervals[counted[slot]]
        columns.append(trees.map(lambda x, slot=slot: x[:, slot], rollout))
        counted[slot] += 1
    batch = trees.map(lambda *x: np.stack(x, 1), *columns)
    records = tracker.add(batch, 0, np.array(slots))
    expected = [record._replace(interval=0) for record in naive_records(intervals)]
    assert sorted(records) == sorted(expected)
    assert tracker.finished == len(expected)


def test_only_the_last_episodes_count():
    intervals = make_rollouts(0, num_intervals=8, num_steps=40, num_envs=2, density=0.5)
    expected = naive_episodes(intervals)
    assert len(expected) > 2 * WINDOW
    tracker = track(intervals)
    assert list(tracker.recent) == expected[-WINDOW:]
    assert tracker.finished == len(expected)


@given(some_rollouts, st.data())
def test_restored_tracker_goes_on(intervals, data):
    cut = data.draw(st.integers(0, len(intervals)))
    num_envs = intervals[0].reward.shape[1]
    first = EpisodeTracker(num_envs, SEED)
    records = []
    for interval, rollout in enumerate(intervals[:cut]):
        records += first.add(rollout, interval)
    content = io.BytesIO()
    np.savez(content, **first.state())  # as in a checkpoint
    content.seek(0)
    second = EpisodeTracker(num_envs, SEED)
    playing = [ledger_after(intervals[:cut], slot) for slot in range(num_envs)]
    second.restore(dict(np.load(content)), playing)
    for interval, rollout in enumerate(intervals[cut:], cut):
        records += second.add(rollout, interval)
    assert records == naive_records(intervals)
    whole = track(intervals)
    assert list(second.recent) == list(whole.recent)
    assert second.finished == whole.finished
    for name, array in whole.state().items():
        np.testing.assert_array_equal(second.state()[name], array)


@given(some_rollouts)
def test_rivals_do_not_count(intervals):
    num_players = intervals[0].reward.shape[2]
    number = np.random.default_rng(0).integers(5, size=intervals[0].reward.shape)
    tracker = EpisodeTracker(intervals[0].reward.shape[1], SEED, num_rivals=num_players - 1)
    records = []
    for interval, rollout in enumerate(intervals):
        rollout = rollout._replace(chosen_by=number.astype(np.int32))
        records += tracker.add(rollout, interval)
    first = [r._replace(score=r.score[:, :, :1], reward=r.reward[:, :, :1]) for r in intervals]
    assert list(tracker.recent) == naive_episodes(first)
    for record in records:
        assert (record.opponent in number[:, record.env, -1]) or num_players == 1


def test_whom_an_episode_met_that_was_cut_short():
    """Before a step: it is who chose the step before that, if that was in the same interval."""
    steps = (3, 2, 2)  # of two environments with two players
    rollout = rollouts.Rollout(
        action=np.zeros(steps, np.uint8),
        reward=np.zeros(steps, np.float32),
        score=np.zeros(steps, np.float32),
        terminated=np.zeros(steps, bool),
        truncated=np.zeros(steps, bool),
        chosen_by=np.array([[1, 2], [3, 4], [5, 6]], np.int32)[:, :, None].repeat(2, axis=2),
    )
    cut_short = np.array([[True, False], [False, False], [False, True]])
    records = EpisodeTracker(2, SEED, num_rivals=1).add(rollout, 7, cut_short=cut_short)
    assert [(record.env, record.opponent) for record in records] == [(0, -1), (1, 4)]


@given(some_rollouts, st.data())
def test_the_seed_says_the_task(intervals, data):
    """Also of an episode that was cut short before the first step of an interval."""
    num_tasks, num_envs = 3, intervals[0].reward.shape[1]
    kinds = {}
    numbers = [0] * num_envs
    told = []
    for rollout in intervals:
        task = np.zeros(rollout.reward.shape, np.int32)
        for step, slot in np.ndindex(rollout.reward.shape[:2]):
            kind = kinds.setdefault((slot, numbers[slot]), data.draw(st.integers(0, 2)))
            task[step, slot] = kind
            over = (rollout.terminated[step, slot] | rollout.truncated[step, slot]).all()
            numbers[slot] += bool(over)
        told.append(rollout._replace(task=task))
    tracker = EpisodeTracker(num_envs, SEED, num_tasks=num_tasks)
    records = []
    for interval, rollout in enumerate(told):
        cut_short = np.zeros(rollout.reward.shape[:2], bool)
        if interval and data.draw(st.booleans()):
            ends = told[interval - 1]
            cut_short[0] = ~(ends.terminated[-1] | ends.truncated[-1]).all(axis=1)
            break_off = {s: (s, tracker._number[s]) for s in np.flatnonzero(cut_short[0]).tolist()}
            found = tracker.add(rollout, interval, cut_short=cut_short)
            assert len(found) >= len(break_off)
            for record in found[: len(break_off)]:
                assert record.task == kinds[break_off[record.env]]
            return
        records += tracker.add(rollout, interval)
    for record in records:
        assert record.task == kinds[record.env, record.episode]
        assert seeding.task_of(record.seed, num_tasks) == record.task


@given(some_rollouts, st.data())
def test_an_episode_that_was_cut_short_has_no_outcome(intervals, data):
    """As where it ended, but for the outcome; there is no end to see where an interval begins."""
    num_envs = intervals[0].reward.shape[1]
    cuts = [np.zeros(rollout.reward.shape[:2], bool) for rollout in intervals]
    expected = {(r.env, r.episode): r for r in naive_records(intervals)}
    for slot in range(num_envs):
        number = 0
        for interval, rollout in enumerate(intervals):
            for step in range(len(rollout.reward)):
                if not (rollout.terminated | rollout.truncated)[step, slot].all():
                    continue
                if rollout.truncated[step, slot].any() and data.draw(st.booleans()):
                    record = expected[slot, number]
                    record = record._replace(score=None, episode_return=None)
                    if step + 1 < len(rollout.reward):
                        cuts[interval][step + 1, slot] = True
                    elif interval + 1 < len(intervals):
                        cuts[interval + 1][0, slot] = True
                        rollout.truncated[step, slot] = False
                        rollout.terminated[step, slot] = False
                        record = record._replace(interval=interval + 1)
                    else:
                        record = expected[slot, number]  # nobody knows
                    expected[slot, number] = record
                number += 1
    tracker = EpisodeTracker(num_envs, SEED)
    records = [
        record
        for interval, (rollout, cut) in enumerate(zip(intervals, cuts, strict=True))
        for record in tracker.add(rollout, interval, cut_short=cut)
    ]
    assert {(r.env, r.episode): unknown_as_none(r) for r in records} == expected
    known = [record for record in expected.values() if record.score is not None]
    assert tracker.finished == len(known)
    assert sorted(tracker.recent) == sorted(
        Episode(r.score, r.episode_return, r.length) for r in known
    )


def unknown_as_none(record):
    """NaN equals nothing."""
    if math.isnan(record.score):
        assert math.isnan(record.episode_return)
        return record._replace(score=None, episode_return=None)
    return record
