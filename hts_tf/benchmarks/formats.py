"""Command line: a policy in each format that it is exported to, beside the policy itself.

The policy plays whole evaluation episodes, and all that it is asked each format is asked, too: do
they choose alike, how far are they from each other, how long does an answer take, and how large is
what was written?
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import evaluator, rollouts, specs, trees
from hts_tf.collecting.policy import Policy
from hts_tf.environments.football import super_mini_map
from hts_tf.files import participants, run_flags
from hts_tf.networks import export_formats, exported
from hts_tf.system import command, compute, terminal

_EPISODES = flags.DEFINE_integer(
    "episodes", 100, "number of episodes that are played", lower_bound=1
)
_DETERMINISTIC = flags.DEFINE_bool(
    "deterministic_policy", False, "always take the most probable action"
)
_SEED = flags.DEFINE_integer("seed", 0, "random seed of the episodes, as that of hts_tf.evaluate")

_TOLERANCE = 1e-4  # of actions that are numbers; rounding alone moves them less

Arrays = dict[str, np.ndarray]
Answer = Callable[[Arrays], Arrays]  # of a batch


# ---- What reads each format, with none of this project's code -----------------------------------


def _saved_model(path: Path) -> Answer:
    import tensorflow as tf

    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    return lambda given: {name: array.numpy() for name, array in function(**given).items()}


def _tflite(path: Path) -> Answer:
    import tensorflow as tf

    with warnings.catch_warnings():  # that there is a package which does the same
        warnings.simplefilter("ignore")
        runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    return lambda given: runner(**given)


def _onnx(path: Path) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(None, given), strict=True))


def _keras(path: Path) -> Answer:
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as directory:  # Keras reads files of that name alone
        named = Path(directory, "policy.keras")
        named.symlink_to(path)
        function = tf.function(keras.models.load_model(named), autograph=False)
    return lambda given: {name: array.numpy() for name, array in function(given).items()}


READERS: dict[str, Callable[[Path], Answer]] = {
    "saved_model": _saved_model,
    "tflite": _tflite,
    "onnx": _onnx,
    "keras": _keras,
}


# ---- The comparison -----------------------------------------------------------------------------


class Format:
    """A policy as it was written, read again.

    Attributes:
      name: of the format.
      size: of what was written, in bytes.
      seconds: that each answer took.
      others: how many answers had another action.
      distance: the greatest, of a parameter of the distributions over actions.
    """

    def __init__(self, policy: exported.Exported, name: str, path: Path) -> None:
        """Writes and reads it. Raises: ConfigError: see `export_formats.write`."""
        export_formats.write(policy, name, path)
        files = [path, *path.rglob("*")]
        self.name = name
        self.size = sum(file.stat().st_size for file in files if file.is_file())
        self.seconds: list[float] = []
        self.others = 0
        self.distance = 0.0
        self._answer = READERS[name](path)

    def ask(self, given: Arrays, wanted: Arrays) -> None:
        """Asks it what the policy was asked, and compares the answers.

        Args:
          given: name -> array of the inputs of `exported.Exported`.
          wanted: the same of its outputs, by the policy.
        """
        began = time.perf_counter()
        found = self._answer(given)
        self.seconds.append(time.perf_counter() - began)
        self.others += not np.allclose(found["action"], wanted["action"], atol=_TOLERANCE)
        for name in wanted.keys() - {"action"}:
            distance = np.abs(found[name] - wanted[name]).max()
            self.distance = float(np.maximum(self.distance, distance))  # which keeps a NaN


class Compared:
    """A policy that asks formats all that it is asked; for an evaluation, in place of `Policy`."""

    def __init__(self, policy: Policy, asked: exported.Exported, formats: Sequence[Format]) -> None:
        self.initial_state = policy.initial_state
        self.draw_noise = policy.draw_noise
        self.seconds: list[float] = []
        self._policy = policy
        self._asked = asked
        self._formats = formats

    def act(
        self, observation: trees.Tree, noise: np.ndarray, state: trees.Tree = ()
    ) -> rollouts.Answer:
        """See `Policy.act`."""
        began = time.perf_counter()
        answer = self._policy.act(observation, noise, state)
        self.seconds.append(time.perf_counter() - began)
        dense = trees.map(_dense, self._asked.agent.step.observation, observation)
        given, wanted = self._asked.given(dense, state, noise), self._asked.wanted(answer)
        for written in self._formats:
            written.ask(given, wanted)
        return answer


def _dense(spec: specs.ArraySpec, rows: np.ndarray) -> np.ndarray:
    """Returns maps as images, all else as it is."""
    if isinstance(spec, specs.PixelMapSpec):
        return np.stack([super_mini_map.to_image(row) for row in rows])
    return rows


def table(compared: Compared, formats: Sequence[Format]) -> str:
    """Writes what was found as lines for a screen."""
    lines = [f"{'':14}{'size [kB]':>10}{'answer [us]':>13}{'other actions':>15}{'distance':>11}"]
    micro = 1e6 * np.median(compared.seconds)
    lines.append(f"{'hts_tf.load':14}{'':10}{micro:13,.0f}")
    for written in formats:
        micro = 1e6 * np.median(written.seconds)
        lines.append(
            f"{written.name:14}{written.size / 1000:10,.0f}{micro:13,.0f}"
            f"{written.others:15,}{written.distance:11.1e}"
        )
    return "\n".join(lines)


def benchmark() -> None:
    """Compares, and prints.

    Raises:
      ConfigError: there is no such policy, or see `export_formats.write`.
    """
    participant = participants.load(run_flags.workdir(), run_flags.MODULES.value, compute.configure)
    environment = participant.environment
    asked = exported.Exported(participants.in_float32(participant).agent, environment.spec)
    policy = Policy(participant.agent, environment.spec.num_players)
    with tempfile.TemporaryDirectory() as directory:
        formats = [Format(asked, name, Path(directory, name)) for name in export_formats.FORMATS]
        compared = Compared(policy, asked, formats)
        evaluator.play(environment, compared, _EPISODES.value, _SEED.value, 1, _DETERMINISTIC.value)
    terminal.say(
        f"{participant.name}: {_EPISODES.value} episodes, {len(compared.seconds):,} answers"
    )
    terminal.say(table(compared, formats))


if __name__ == "__main__":
    command.run(benchmark)
