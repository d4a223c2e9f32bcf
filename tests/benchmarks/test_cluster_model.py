import csv
import re
import shlex

import pytest

from tests import command_line, refusals

MODULE = "hts_tf.benchmarks.cluster_model"
PAGE = command_line.ROOT / "docs" / "cluster_model.md"


def test_table_and_csv_say_the_same(tmp_path):
    output = tmp_path / "cluster.csv"
    code, printed, errors = command_line.run(
        MODULE,
        "--workloads=11_vs_11",
        "--machines=1,4",
        "--env_steps_per_day=1e8",
        f"--output={output}",
    )
    assert code == 0, errors
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["num_machines"] for row in rows] == ["1", "4"]
    lines = [line.split() for line in printed.splitlines() if line.startswith(" ")]
    for row, words in zip(rows, lines, strict=True):
        assert row["num_machines"] == words[0]
        assert float(row["sps"]) == pytest.approx(float(words[3].replace(",", "")), abs=0.5)
        assert row["limit"] == words[-1]
    # 1,157 env steps per second; one machine makes less, and four are enough.
    assert float(rows[0]["sps"]) < 1e8 / 86_400 < float(rows[1]["sps"])
    assert "1,157 env steps per second: 2 machines" in printed
    # Measured, by an earlier version: docs/cluster_model.md.
    assert float(rows[0]["sps"]) == pytest.approx(591, rel=0.02)


def test_a_number_that_is_not_reached():
    code, printed, errors = command_line.run(
        MODULE, "--workloads=11_vs_11", "--machines=1,2", "--env_steps_per_day=1e9"
    )
    assert code == 0, errors
    assert "not with up to 2 machines" in printed


def test_one_run_on_more_and_more_machines(tmp_path):
    output = tmp_path / "cluster.csv"
    code, _, errors = command_line.run(
        MODULE,
        "--workloads=academy_3_vs_1",
        "--machines=1,2,4",
        "--num_envs=16",
        "--num_shards=4",
        f"--output={output}",
    )
    assert code == 0, errors
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["num_envs"], row["num_shards"]) for row in rows} == {("16", "4")}
    seconds = [float(row["round_sec"]) for row in rows]
    assert seconds == sorted(seconds, reverse=True)


def test_machines_that_share_cores():
    command = [MODULE, "--machines=1,8", "--workloads=11_vs_11", "--bandwidth_gbit=1e6"]
    code, printed, errors = command_line.run(*command, "--shared_cores")
    assert code == 0, errors
    first, last = (
        float(line.split()[3].replace(",", ""))
        for line in printed.splitlines()
        if line.split()[:1] in (["1"], ["8"])
    )
    assert last == pytest.approx(first, rel=0.05)


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "cluster.png"
    code, _, errors = command_line.run(MODULE, "--machines=1,2", f"--picture={path}")
    assert code == 0, errors
    assert path.read_bytes().startswith(b"\x89PNG")


REFUSED = [
    (["--workloads=12_vs_12"], "did you mean 11_vs_11"),
    (["--machines=1,0"], "--machines"),
    (["--machines=5", "--num_envs=16", "--num_shards=4"], "no more than --num_shards=4"),
    (["--num_envs=16"], "give both, or neither"),
    (["--num_envs=16", "--num_shards=3"], "--num_shards=3 does not divide --num_envs=16"),
    (["--shards_per_machine=3"], "does not divide --envs_per_machine=16"),
]


@pytest.fixture(scope="module")
def refused():
    """What each of these commands comes to."""
    return refusals.of(MODULE, "tell", [flags for flags, _ in REFUSED])


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refuses(refused, number, says):
    refusals.check(refused[number], says)


@pytest.mark.slow
def test_the_page_has_what_its_commands_print():
    pairs = re.findall(r"^```sh\n([^`]*)```\n```text\n([^`]*)```", PAGE.read_text(), re.M)
    assert len(pairs) == 4
    for typed, says in pairs:
        command = typed.removeprefix(".venv/bin/python -m ").replace("\\\n", "")
        code, printed, errors = command_line.run(*shlex.split(command))
        assert code == 0, errors
        assert printed.strip() == says.strip()
