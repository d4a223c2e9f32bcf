"""Command line: writes a policy for programs that know nothing of this one.

  .venv/bin/python -m hts_tf.export --workdir=runs/CartPole-v1-hts_ppo-seed0 --format=onnx \
    --output=cartpole.onnx

What is written answers batches: inputs and outputs are those of `exported.Exported`.
"""

from pathlib import Path

from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import errors
from hts_tf.files import participants, run_flags
from hts_tf.networks import export_formats, exported
from hts_tf.system import command, compute, outputs, terminal, whole

_FORMAT = flags.DEFINE_enum("format", "saved_model", [*export_formats.FORMATS], "format to write")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "file to write, of keras one that ends in .keras; or directory of a SavedModel",
    required=True,
)


def export() -> None:
    """Writes the policy, and says what it takes and returns.

    Raises:
      ConfigError: there is no such policy, the output cannot be that, or see
        `export_formats.write`.
    """
    path = _output()
    participant = participants.load(run_flags.workdir(), run_flags.MODULES.value, compute.configure)
    agent = participants.in_float32(participant).agent
    policy = exported.Exported(agent, participant.environment.spec)
    with whole.refusing("--output"):
        path.parent.mkdir(parents=True, exist_ok=True)
        export_formats.write(policy, _FORMAT.value, path)
    terminal.say(f"{participant.name} as {_FORMAT.value} in {path}, of batches [B, ...]:")
    for what, arrays in (("takes", policy.inputs), ("returns", policy.outputs)):
        for key, spec in arrays.items():
            terminal.say(f"  {what} {key}: {[*spec.shape[1:]]} {spec.dtype.name}")


def _output() -> Path:
    """Returns where to write. Raises: ConfigError: something is there, or it ends otherwise."""
    path, kind = outputs.new(_OUTPUT.value), _FORMAT.value
    ending = path.suffix.removeprefix(".")
    if ending in export_formats.FORMATS and ending != kind:
        raise errors.ConfigError(
            f"--output={path} ends as --format={ending} does, and --format is {kind}: change one"
        )
    if kind == "keras" and ending != kind:
        raise errors.ConfigError(f"--output={path} must end in .keras, else Keras does not load it")
    return path


if __name__ == "__main__":
    command.run(export)
