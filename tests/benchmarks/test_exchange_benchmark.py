import pytest

from tests import command_line

MODULE = "hts_tf.benchmarks.exchange"


@pytest.mark.slow
def test_measures_meetings():
    pytest.importorskip("ray")
    code, printed, errors = command_line.run(
        MODULE, "--machines=1,2", "--bytes=100000", "--meetings=3"
    )
    assert code == 0, errors
    heading, *rows = (line.split() for line in printed.splitlines())
    assert heading[:2] == ["machines", "bytes"]
    assert [row[:2] for row in rows] == [["1", "100,000"], ["2", "100,000"]]
    assert all(float(row[2]) > 0 for row in rows)


@pytest.mark.parametrize("flag", ["--machines=2,0", "--bytes=many"])
def test_refuses(flag):
    code, _, errors = command_line.run(MODULE, flag)
    assert code == 2
    assert flag.split("=")[0] in errors
    assert len(errors.splitlines()) == 1
