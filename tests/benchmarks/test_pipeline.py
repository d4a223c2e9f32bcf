import pytest

from tests import command_line, refusals


@pytest.mark.slow
def test_prints_its_figures():
    code, output, errors = command_line.run(
        "hts_tf.benchmarks.pipeline", "--num_envs=2,4", "--seconds=0.2", "--sync_interval=16"
    )
    assert code == 0, errors
    for num_envs in (2, 4):
        assert f"{num_envs} environments" in output
    assert output.count("env steps per second") == 2


REFUSED = ["x", "0", "", "-4", "16,20000"]


@pytest.fixture(scope="module")
def refused():
    """What the command comes to with each of these numbers of environments."""
    commands = [[f"--num_envs={value}", "--seconds=0.1"] for value in REFUSED]
    return refusals.of("hts_tf.benchmarks.pipeline", "benchmark", commands)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refuses(refused, number):
    refusals.check(refused[number], "error: ")
    assert refused[number][2].startswith("error: ")
