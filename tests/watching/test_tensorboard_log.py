import pytest

from hts_tf.watching.tensorboard_log import TensorBoard


def read_events(workdir):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(workdir))
    events.Reload()
    return events


def test_scalars_can_be_read_back(tmp_path):
    import tensorflow as tf

    tensorboard = TensorBoard(tmp_path)
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


def test_shows_one_line_of_a_run_that_goes_over_steps_again(tmp_path):
    from tensorboard.backend.event_processing import plugin_event_accumulator

    for resumed_at, values in [(0, [0.1, 0.2, 0.3, 0.4]), (200, [0.5])]:
        tensorboard = TensorBoard(tmp_path)
        tensorboard.restart(resumed_at)
        for number, value in enumerate(values, 1):
            tensorboard.scalars(resumed_at + 100 * number, {"episodes/score": value})
        tensorboard.close()
    # The one that shows them: the one for scripts takes back nothing but scalars of TensorFlow 1.
    events = plugin_event_accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    points = events.Tensors("episodes/score")
    assert [point.step for point in points] == [100, 200, 300]
    assert [point.tensor_proto.float_val[0] for point in points] == pytest.approx([0.1, 0.2, 0.5])


def test_shows_a_gif_as_it_is(tmp_path):
    import tensorflow as tf
    from tensorboard.plugins.image import metadata

    tensorboard = TensorBoard(tmp_path)
    tensorboard.animation(100, "episode", b"GIF89a...", (640, 488))
    tensorboard.close()
    events = read_events(tmp_path)
    [event] = events.Tensors("episode")
    assert event.step == 100
    assert tf.make_ndarray(event.tensor_proto).tolist() == [b"640", b"488", b"GIF89a..."]
    plugin = events.SummaryMetadata("episode").plugin_data
    assert plugin.plugin_name == metadata.PLUGIN_NAME
