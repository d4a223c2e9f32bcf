"""Formats that other programs read, of a policy that is one function of plain arrays."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from hts_tf import errors
from hts_tf.networks.exported import Exported
from hts_tf.networks.normalisation import ObservationNormaliser
from hts_tf.system import installation, whole

_OPSET = 18  # of ONNX


def _to_saved_model(policy: Exported, path: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(policy.agent)
    archive.add_endpoint("serving_default", policy.function)
    try:
        with whole.directory(path, "--output") as partial:
            archive.write_out(str(partial), verbose=False)
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    except tf.errors.OpError as error:
        raise OSError(errors.in_a_line(error)) from error


def _to_tflite(policy: Exported, path: Path) -> None:
    normalisers = [x for x in policy.agent.layers if isinstance(x, ObservationNormaliser)]
    kept = [layer.arithmetic for layer in normalisers]
    try:
        for layer in normalisers:
            layer.arithmetic = "float32"  # it knows no other
        policy = Exported(policy.agent, policy.environment)
        with tempfile.TemporaryDirectory() as directory:  # only of such a one do arrays keep names
            _to_saved_model(policy, Path(directory, "model"))
            converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(directory, "model")))
            whole.write(path, converter.convert())
    finally:  # the agent may be traced again, for another format
        for layer, arithmetic in zip(normalisers, kept, strict=True):
            layer.arithmetic = arithmetic


def _to_onnx(policy: Exported, path: Path) -> None:
    with installation.needing("onnx", "--format=onnx"):
        import tf2onnx
    both = sorted(policy.inputs.keys() & policy.outputs.keys())
    if both:
        raise errors.ConfigError(
            f"--format=onnx has one name for one array, and {both[0]!r} is an entry of the "
            "observation and something that the policy returns: write another format, or give that "
            "entry another name"
        )
    model, _ = tf2onnx.convert.from_function(
        policy.function, input_signature=[*policy.inputs.values()], opset=_OPSET
    )
    whole.write(path, model.SerializeToString())


def _to_keras(policy: Exported, path: Path) -> None:
    # Keras writes files of that name alone.
    with tempfile.TemporaryDirectory() as directory:
        written = Path(directory, "policy.keras")
        policy.as_model().save(written)
        whole.write(path, written.read_bytes())


def write(policy: Exported, name: str, path: Path) -> None:
    """Writes a policy in the format of a name.

    Raises:
      ConfigError: the format needs what is not installed, or another network.
    """
    logging.set_verbosity(logging.WARNING)  # converters tell of each step
    FORMATS[name](policy, path)


FORMATS: dict[str, Callable[[Exported, Path], None]] = {
    "saved_model": _to_saved_model,
    "tflite": _to_tflite,
    "onnx": _to_onnx,
    "keras": _to_keras,
}
