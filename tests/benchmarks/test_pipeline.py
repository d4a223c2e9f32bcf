import pytest

from tests import command_line


@pytest.mark.slow
def test_prints_its_figures():
    code, output, errors = command_line.run(
        "hts_tf.benchmarks.pipeline", "--num_envs=2,4", "--seconds=0.2", "--sync_interval=16"
    )
    assert code == 0, errors
    for num_envs in (2, 4):
        assert f"{num_envs} environments" in output
    assert output.count("env steps per second") == 2


@pytest.mark.slow
@pytest.mark.parametrize("value", ["x", "0", "", "-4", "16,20000"])
def test_refuses(value):
    code, output, errors = command_line.run(
        "hts_tf.benchmarks.pipeline", f"--num_envs={value}", "--seconds=0.1"
    )
    assert code == 2, (output, errors)
    assert errors.startswith("error: ")
    assert len(errors.splitlines()) == 1
