"""This machine: its processor and its memory."""

from pathlib import Path

from hts_tf.examining.finding import Finding
from hts_tf.files import scope
from hts_tf.system.memory import memory_available_bytes
from hts_tf.system.processors import usable_cores

# Of all processes of a run with 16 football environments, rounded up: 0.8 GiB for the trainer, more
# with 22 players, and 0.2 GiB for the executors.
RUN_BYTES = 2 * 2**30


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """The processor, and those of its instruction sets that make a difference."""
    model, features = scope.processor(cpuinfo)
    return Finding("Processor", f"{model}, {usable_cores()} cores, {' '.join(features) or 'plain'}")


def memory() -> Finding:
    """The memory that may still be used, against what a run with the defaults takes.

    What processes share is anonymous memory and counts as any other: /dev/shm is not used.
    """
    available = memory_available_bytes()
    detail = (
        f"{available / 2**30:.1f} GiB available; a default run takes {RUN_BYTES / 2**30:.0f} GiB, "
        "nothing in /dev/shm"
    )
    if available >= RUN_BYTES:
        return Finding("Memory", detail)
    advice = "train with fewer environments: --gin_bindings='Trainer.num_envs = 4'"
    return Finding("Memory", detail, advice=advice)
