import contextlib
import io
import os
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import metrics, seeding, specs
from hts_tf.archive import Record
from hts_tf.metrics import Episode, EpisodeTracker, ProgressLine


def make_rollouts(seed, num_intervals, num_steps, num_envs, density):
    """Intervals with rewards and scores that add up exactly in any order."""
    random = np.random.default_rng(seed)
    steps = num_steps, num_envs
    rollouts = []
    for _ in range(num_intervals):
        endings = random.random(steps)
        rollouts.append(
            specs.Rollout(
                observation=None,
                action=random.integers(0, 19, steps).astype(np.uint8),
                logits=None,
                value=None,
                reward=random.integers(-8, 9, steps).astype(np.float32) / 4,
                score=random.integers(-1, 2, steps).astype(np.float32),
                terminated=endings < density / 2,
                truncated=endings > 1 - density / 2,
                truncation_value=None,
            )
        )
    return rollouts


SEED = 7


def naive_records(rollouts):
    """Follows one environment after another; in the order in which episodes ended."""
    records = {}
    for slot in range(rollouts[0].reward.shape[1]):
        score = episode_return = 0.0
        actions = []
        now = number = 0
        for interval, rollout in enumerate(rollouts):
            for step in range(len(rollout.reward)):
                score += rollout.score[step, slot]
                episode_return += rollout.reward[step, slot]
                actions.append(rollout.action[step, slot])
                now += 1
                if rollout.terminated[step, slot] or rollout.truncated[step, slot]:
                    seed = seeding.episode_seed(SEED, slot, number)
                    records[now, slot] = Record(
                        slot, number, seed, interval, score, episode_return, bytes(actions)
                    )
                    score = episode_return = 0.0
                    actions = []
                    number += 1
    return [records[key] for key in sorted(records)]


def naive_episodes(rollouts):
    return [Episode(r.score, r.episode_return, r.length) for r in naive_records(rollouts)]


def track(rollouts):
    tracker = EpisodeTracker(rollouts[0].reward.shape[1], SEED)
    for interval, rollout in enumerate(rollouts):
        tracker.add(rollout, interval)
    return tracker


def ledger_after(rollouts, slot):
    """What `Ledger.current` says at the sync point after some intervals."""
    number, actions = 0, []
    for rollout in rollouts:
        for step in range(len(rollout.reward)):
            actions.append(rollout.action[step, slot])
            if rollout.terminated[step, slot] or rollout.truncated[step, slot]:
                number, actions = number + 1, []
    return number, np.array(actions, np.uint8)


some_rollouts = st.builds(
    make_rollouts,
    seed=st.integers(0, 2**32 - 1),
    num_intervals=st.integers(1, 4),
    num_steps=st.integers(1, 6),
    num_envs=st.integers(1, 4),
    density=st.floats(0, 1),
)


@given(some_rollouts)
def test_episodes_against_a_naive_loop(rollouts):
    tracker = track(rollouts)
    expected = naive_episodes(rollouts)
    assert list(tracker.recent) == expected
    assert tracker.finished == len(expected)
    if expected:
        assert tracker.means() == pytest.approx(tuple(np.mean(expected, axis=0)))
    else:
        assert tracker.means() is None


@given(some_rollouts)
def test_finished_episodes_are_returned_with_their_actions(rollouts):
    tracker = EpisodeTracker(rollouts[0].reward.shape[1], SEED)
    records = [tracker.add(rollout, interval) for interval, rollout in enumerate(rollouts)]
    assert [record for interval in records for record in interval] == naive_records(rollouts)


@given(some_rollouts, st.randoms(use_true_random=False))
def test_unrolls_of_any_slots_can_be_counted_in(rollouts, random):
    """Each slot's in the order of time; those of different slots in any, also twice at once."""
    num_envs = rollouts[0].reward.shape[1]
    counted = [0] * num_envs
    slots = [slot for slot in range(num_envs) for _ in rollouts]
    random.shuffle(slots)
    tracker = EpisodeTracker(num_envs, SEED)
    columns = []
    for slot in slots:
        rollout = rollouts[counted[slot]]
        columns.append([None if x is None else x[:, slot] for x in rollout])
        counted[slot] += 1
    batch = specs.Rollout(
        *(
            np.stack([np.zeros(1)] * len(slots), 1) if x[0] is None else np.stack(x, 1)
            for x in zip(*columns, strict=True)
        )
    )
    records = tracker.add(batch, 0, np.array(slots))
    expected = [record._replace(interval=0) for record in naive_records(rollouts)]
    assert sorted(records) == sorted(expected)
    assert tracker.finished == len(expected)


def test_only_the_last_episodes_count():
    rollouts = make_rollouts(0, num_intervals=8, num_steps=40, num_envs=2, density=0.5)
    expected = naive_episodes(rollouts)
    assert len(expected) > 2 * metrics.WINDOW
    tracker = track(rollouts)
    assert list(tracker.recent) == expected[-metrics.WINDOW :]
    assert tracker.finished == len(expected)


@given(some_rollouts, st.data())
def test_restored_tracker_goes_on(rollouts, data):
    cut = data.draw(st.integers(0, len(rollouts)))
    num_envs = rollouts[0].reward.shape[1]
    first = EpisodeTracker(num_envs, SEED)
    records = []
    for interval, rollout in enumerate(rollouts[:cut]):
        records += first.add(rollout, interval)
    content = io.BytesIO()
    np.savez(content, **first.state())  # as in a checkpoint
    content.seek(0)
    second = EpisodeTracker(num_envs, SEED)
    playing = [ledger_after(rollouts[:cut], slot) for slot in range(num_envs)]
    second.restore(dict(np.load(content)), playing)
    for interval, rollout in enumerate(rollouts[cut:], cut):
        records += second.add(rollout, interval)
    assert records == naive_records(rollouts)
    whole = track(rollouts)
    assert list(second.recent) == list(whole.recent)
    assert second.finished == whole.finished
    for name, array in whole.state().items():
        np.testing.assert_array_equal(second.state()[name], array)


class Terminal(io.StringIO):
    def isatty(self):
        return True


MEANS = Episode(score=0.5, episode_return=1.25, length=80.0)


def test_progress_on_a_terminal_is_one_line_rewritten(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    line = ProgressLine(2000)
    line.show(500, 100.0, None)
    line.show(1000, 250.0, MEANS)
    line.show(2000, 0.0, MEANS)
    line.close()
    line.close()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    first, second, third = text.split("\r\x1b[K")[1:]
    assert "500 of 2,000 env steps (25%)" in first
    assert "100 SPS" in first
    assert "0:00:15 left" in first
    assert "score -" in first
    assert "score 0.50  return 1.25" in second
    assert "0:00:04 left" in second
    assert "2,000 of 2,000 env steps (100%)" in third


def test_progress_elsewhere_is_a_plain_line_now_and_then(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    line = ProgressLine(10_000)
    shown = []
    for second in range(26):
        now[0] = 1000.0 + second
        line.show(second, 1.0, None)
        shown.append(stream.getvalue().count("\n"))
    assert shown == [1] * 10 + [2] * 10 + [3] * 6
    line.close()
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    steps = [int(re.match(r"(\d+) of", text)[1]) for text in stream.getvalue().splitlines()]
    assert steps == [0, 10, 20, 25]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (59.6, "0:01:00"), (3599, "0:59:59"), (360_000, "100:00:00")],
)
def test_time_left(capsys, seconds, text):
    line = ProgressLine(1000 + 1)
    line.show(1, 1000 / seconds if seconds else 0, None)
    line.close()
    assert f"{text} left" in capsys.readouterr().out


def read_events(workdir):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(workdir))
    events.Reload()
    return events


def test_tensorboard_scalars_can_be_read_back(tmp_path):
    import tensorflow as tf

    tensorboard = metrics.TensorBoard(tmp_path)
    tensorboard.scalars(100, {"episodes/score": 0.25, "learner/loss": -1.0})
    tensorboard.scalars(200, {"episodes/score": 0.5})
    tensorboard.text("configuration", "a = 1\nb = 2")
    tensorboard.close()
    events = read_events(tmp_path)
    assert set(events.Tags()["tensors"]) == {"episodes/score", "learner/loss", "configuration"}
    scores = events.Tensors("episodes/score")
    assert [event.step for event in scores] == [100, 200]
    assert [float(tf.make_ndarray(event.tensor_proto)) for event in scores] == [0.25, 0.5]
    [configuration] = events.Tensors("configuration")
    assert tf.make_ndarray(configuration.tensor_proto).item() == b"    a = 1\n    b = 2"


def test_nobody_reads_standard_output_any_more(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:  # noqa: PTH123  a descriptor has no path
        monkeypatch.setattr(sys, "stdout", broken)
        metrics.say("nobody hears this")
        metrics.say("nor this")
        with contextlib.suppress(BrokenPipeError):
            broken.close()


def test_tensorboard_shows_a_gif_as_it_is(tmp_path):
    import tensorflow as tf
    from tensorboard.plugins.image import metadata

    tensorboard = metrics.TensorBoard(tmp_path)
    tensorboard.animation(100, "episode", b"GIF89a...", (640, 488))
    tensorboard.close()
    events = read_events(tmp_path)
    [event] = events.Tensors("episode")
    assert event.step == 100
    assert tf.make_ndarray(event.tensor_proto).tolist() == [b"640", b"488", b"GIF89a..."]
    plugin = events.SummaryMetadata("episode").plugin_data
    assert plugin.plugin_name == metadata.PLUGIN_NAME
