"""Trains through the command line, and sees what has come of it."""

from hts_tf.files import fingerprint_log
from tests import command_line, sameness
from tests.command_line import parameters_hash


def train(workdir, *flags):
    """Trains to the end and returns the fingerprints."""
    code, output, errors = command_line.run("hts_tf.train", f"--workdir={workdir}", *flags)
    assert code == 0, errors
    last = list(fingerprint_log.read_table(workdir).values())[-1]
    assert parameters_hash(output).startswith(last["parameters"])
    return sameness.fingerprints(workdir)


def wait_for_progress(process):
    """Waits for the first progress line: it comes after the first interval."""
    while "env steps (" not in process.stdout.readline():
        assert process.poll() is None


def score_of(workdir, *flags):
    """Returns the mean score of a run's most probable actions."""
    code, output, errors = command_line.run(
        "hts_tf.evaluate", f"--workdir={workdir}", "--deterministic_policy", *flags
    )
    assert code == 0, errors
    return float(output.split("score: mean ")[1].split(",")[0])
