"""The command, on football."""

import csv
import re
import shutil
import signal

import pytest

from hts_tf import errors, round_robin
from tests import command_line, waiting


def train(workdir, *bindings):
    """Trains both sides of a small match, with snapshots of updates 2 and 4."""
    code, _, text = command_line.run(
        "hts_tf.train",
        "--scenario=academy_empty_goal_close",  # where matches are short
        f"--workdir={workdir}",
        *command_line.FOOTBALL_PLAYERS,
        "--gin_bindings=Football.left_players = 1",
        "--gin_bindings=Football.right_players = 1",
        "--gin_bindings=Trainer.opponents = @Opponents()",
        "--gin_bindings=Opponents.snapshot_every_updates = 2",
        "--gin_bindings=Trainer.num_envs = 4",
        "--gin_bindings=Trainer.sync_interval = 16",
        "--gin_bindings=Trainer.total_env_steps = 256",
        command_line.ONE_EXECUTOR,
        *(f"--gin_bindings={binding}" for binding in bindings),
    )
    assert code == 0, text
    return workdir


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def others(trained, tmp_path_factory):
    """Runs that cannot meet that one, and damaged copies of it."""
    folder = tmp_path_factory.mktemp("others")
    train(folder / "small", "mlp.units = (8,)")
    for name, bindings in {  # who are refused before a policy is made
        "sees_otherwise": ["Football.representation = 'simple115v2'"],
        "shoots": ["Football.shots_in_front = True", "Football.first_time_shots = True"],
        "all": ["Football.left_players = 'all'"],
    }.items():
        shutil.copytree(trained, folder / name)
        with (folder / name / "config.gin").open("a") as file:
            file.writelines(f"{binding}\n" for binding in bindings)
    original = folder / "damaged"
    shutil.copytree(trained, original)
    for path in (original / "snapshots").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    swapped = folder / "swapped"
    shutil.copytree(original, swapped)
    shutil.rmtree(swapped / "snapshots")
    shutil.copytree(folder / "small" / "snapshots", swapped / "snapshots")
    for path in (original / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    return folder


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_on_football(trained, tmp_path):
    names = [f"{trained}@2", f"{trained}@4", str(trained)]
    command = [f"--workdirs={','.join(names)}", "--episodes=1", "--processes=1"]
    code, output, text = command_line.run(
        "hts_tf.tournament", *command, f"--output={tmp_path / 'ours'}"
    )
    assert code == 0, text
    assert "95 % interval" in output
    rows, matches = read(tmp_path / "ours.csv"), read(tmp_path / "ours_matches.csv")
    assert {row["participant"] for row in rows} == set(names)
    assert sum(float(row["rating"]) for row in rows) == pytest.approx(0, abs=0.2)
    assert all(row["matches"] == "4" for row in rows)
    assert len(matches) == 6
    # Update 4 was the last one.
    outcome = {(m["left"], m["right"]): tuple(m.values())[2:] for m in matches}
    assert outcome[names[1], names[0]] == outcome[names[2], names[0]]
    assert (tmp_path / "ours.png").stat().st_size > 1000


@pytest.mark.slow
def test_results_depend_neither_on_how_many_play_at_once_nor_on_interruptions(trained, tmp_path):
    command = [f"--workdirs={trained}", "--ai=0.05,1", "--episodes=1"]
    two = [*command, "--processes=2", f"--output={tmp_path / '2'}"]
    so_far = tmp_path / "2_matches_so_far.csv"
    with command_line.start("hts_tf.tournament", *two) as process:
        waiting.until(lambda: so_far.exists() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        assert command_line.finish(process)[0] == 128 + signal.SIGINT
    for processes in (1, 2):
        output = tmp_path / f"{processes}"
        flags = [*command, f"--processes={processes}", f"--output={output}"]
        code, said, text = command_line.run("hts_tf.tournament", *flags)
        assert code == 0, text
        assert not text
        assert bool(re.search("^goes on after [123] of 4 matches$", said, re.M)) == (processes == 2)
    for name in ("{}.csv", "{}_matches.csv"):
        files = [(tmp_path / name.format(processes)).read_bytes() for processes in (1, 2)]
        assert files[0] == files[1]
    rows = {row["participant"]: row for row in read(tmp_path / "1.csv")}
    assert rows.keys() == {str(trained), "AI 0.05", "AI 1"}
    assert [rows["AI 0.05"][column] for column in ("rating", "low", "high")] == ["0.0"] * 3
    assert [rows[ai]["matches"] for ai in ("AI 0.05", "AI 1")] == ["2"] * 2
    goals_for, goals_against = (
        sum(float(row[column]) for row in rows.values())
        for column in ("goals_for", "goals_against")
    )
    assert goals_for == goals_against > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("participants", "given", "says"),
    [
        ("{0}", {}, "must name two participants or more"),
        ("{0},{0}", {"difficulties": ["0.5"]}, "each once"),
        ("{0}", {"difficulties": ["0.5", "2"]}, "--ai=0.5,2 must list difficulties from 0 to 1"),
        ("{0},{0}@7", {}, "there is no such policy, but those of updates "),
        ("{0},{1}/damaged@2", {}, "000000002.ckpt is damaged"),
        ("{0},{1}/damaged", {}, "every checkpoint in"),
        ("{0},{1}/swapped@2", {}, "swapped/snapshots/000000002.ckpt is of another network"),
        ("{0},{1}/sees_otherwise", {}, "sees_otherwise observes, acts or plays otherwise than"),
        ("{0},{1}/shoots", {}, "shoots plays by other rules than "),
        ("{0},{1}/nowhere", {}, "holds no run"),
        (",{0}", {}, "a policy is named WORKDIR, WORKDIR@UPDATES or WORKDIR@best"),
        (
            "{1}/all,{1}/all@2",
            {"scenario": "academy_3_vs_1_with_keeper"},
            "no match has two such sides",
        ),
        ("{0},{0}@2", {"scenario": "academy_cornre"}, "in a tournament both sides have "),
    ],
)
def test_who_cannot_take_part(trained, others, clean_gin, participants, given, says):
    names = participants.format(trained, others).split(",")
    with pytest.raises(errors.ConfigError) as raised:
        round_robin.enter(names, **given)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_what_is_refused_is_one_line(trained, tmp_path):
    for policies, output in [(f"{trained},{trained}@7", tmp_path / "x"), (trained, "")]:
        command = [f"--workdirs={policies}", f"--output={output}"]
        code, _, text = command_line.run("hts_tf.tournament", *command)
        assert code == 2
        assert text.startswith("error: ")
        assert text.count("\n") == 1
