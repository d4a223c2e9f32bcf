import csv
import subprocess
import sys

import numpy as np
import pytest

from hts_tf.environments.synthetic import Synthetic
from hts_tf.files import archive
from hts_tf.files.archive import Archive, Record
from hts_tf.files.curves import RunLog
from tests import command_line, refusals

CONFIGURATION = """# --seed = 0
Trainer.environment = @Synthetic()
Trainer.algorithm = @PPO()
Synthetic.episode_steps = 3
import hts_tf.environments.synthetic
"""


def test_needs_no_tensorflow():
    code = "import sys, hts_tf.replay; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def write(workdir):
    """Writes that of a run on the synthetic game, with one finished episode that never scored."""
    (workdir / "config.gin").write_text(CONFIGURATION)
    game = Synthetic(episode_steps=3).make()
    observation = np.zeros(4, np.float32)
    game.reset(2, observation)
    actions, score = [], 0.0
    for _ in range(3):
        actions.append(int(np.argmax(observation)))
        score += game.step(actions[-1], observation).score
    file = Archive(workdir / "episodes.bin", 0)
    file.append([Record(0, 0, 2, 0, score, score, bytes(actions))])
    file.close()
    return workdir


@pytest.fixture
def workdir(tmp_path):
    return write(tmp_path)


def test_a_game_without_pictures_can_be_checked(workdir):
    code, output, _ = command_line.run("hts_tf.replay", f"--workdir={workdir}", "--check_only")
    assert code == 0
    assert "seed 2, 3 env steps, score 1, return 1.00" in output
    assert "the score changes in env step 1, 2, 3\n" in output
    assert "agree with the archive" in output


REFUSED = [
    ([], "Synthetic has no pictures; add --check_only"),
    (["--output=video.avi"], "--output=video.avi must end in .mp4 or .gif"),
    (["--archive=nowhere.bin"], "nowhere.bin"),
    (["--best", "--worst"], "choose one"),
    (["--opponent=x", "--best"], "--opponent has a new episode played: none is to be chosen"),
    (["--opponent=x", "--episode=0"], "--opponent has a new episode played"),
    (["--opponent=x", "--list"], "--opponent has a new episode played: none is to be chosen"),
    (["--match=1"], "--match is of --opponent: add it"),
    (["--check_only", "--output=a.gif"], "--check_only writes no video; leave out --output"),
    (["--check_only", "--render"], "--check_only writes no video; leave out --render"),
    (["--check_only", "--fps=9"], "--check_only writes no video; leave out --fps"),
    (["--check_only", "--last_step=0"], "--check_only writes no video; leave out --last_step"),
    (["--list", "--check_only"], "--list plays nothing; leave out --check_only"),
    (["--list", "--best"], "--list plays nothing; leave out --best"),
    (["--list", "--episode=0"], "--list plays nothing; leave out --episode"),
    (["--list", "--output=a.gif"], "--list plays nothing; leave out --output"),
    # Before a match is played, for which there is nobody.
    (["--opponent=x", "--output=video.avi"], "--output=video.avi must end in .mp4 or .gif"),
    (["--opponent=x", "--first_step=2", "--last_step=1"], "--last_step=1 is before --first_step=2"),
    (["--first_step=4"], "--first_step=4: the episode has 3 env steps"),
    (["--first_step=2", "--last_step=1"], "--last_step=1 is before --first_step=2"),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What each of these commands comes to."""
    workdir = write(tmp_path_factory.mktemp("refused"))
    commands = [[f"--workdir={workdir}", *flags] for flags, _ in REFUSED]
    return refusals.of("hts_tf.replay", "run", commands)


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refusals_are_one_line(refused, number, says):
    refusals.check(refused[number], says)
    assert refused[number][2].startswith("error: ")


def test_what_is_refused_ends_the_command(workdir):
    finished = command_line.run("hts_tf.replay", f"--workdir={workdir}", "more")
    refusals.check(finished, "error: unexpected argument 'more'")


def test_an_empty_archive(workdir):
    (workdir / "episodes.bin").write_bytes(b"")
    code, _, text = command_line.run("hts_tf.replay", f"--workdir={workdir}")
    assert code == 2
    assert "holds no finished episode" in text


# One update.
SHORT = ["Trainer.num_envs = 1", "Trainer.total_env_steps = 64"]


def train(workdir, *bindings):
    bindings = (
        "Football.left_players = 2",
        "Trainer.num_envs = 4",
        "Trainer.sync_interval = 64",
        "Trainer.num_executors = 1",
        "PPO.epochs = 1",
        *bindings,
    )
    code, _, text = command_line.run(
        "hts_tf.train",
        "--scenario=academy_3_vs_1_with_keeper",
        f"--workdir={workdir}",
        *command_line.FOOTBALL_PLAYERS,
        *(f"--gin_bindings={binding}" for binding in bindings),
    )
    assert code == 0, text


@pytest.fixture(scope="module")
def rivals(tmp_path_factory):
    """A run of two against two, and a pool."""
    workdir = tmp_path_factory.mktemp("rivals")
    train(
        workdir,
        "Football.right_players = 2",
        "Trainer.total_env_steps = 4096",
        "Trainer.opponents = @Opponents()",
        "Opponents.self_play = 0.3",
        "Opponents.snapshot_every_updates = 2",
        "Opponents.scripted = (@Always,)",
    )
    return workdir


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run of two against the engine's own."""
    workdir = tmp_path_factory.mktemp("alone")
    train(workdir, *SHORT)
    return workdir


@pytest.mark.slow
def test_whom_episodes_met(rivals):
    records = archive.read(rivals / archive.FILE_NAME)
    met = {record.against for record in records}
    snapshots = {f"update {int(path.stem):,}" for path in (rivals / "snapshots").iterdir()}
    assert {"itself", "Always"} < met <= {"itself", "Always", *snapshots}
    for record in records:
        theirs = np.frombuffer(record.actions, np.uint8).reshape(-1, 4)[:, 2:]
        # Always stands still, and nobody else does that all the time.
        assert (not theirs.any()) is (record.against == "Always")
    told = RunLog(rivals).series
    assert "opponents/win_rate/Always" in told
    assert {*told["opponents/rating_of/Always"].values()} == {0.0}  # what others are rated by
    assert len(told["opponents/rating"]) == len(snapshots)  # that of the last policy, too
    number = next(n for n, r in enumerate(records) if r.against.startswith("update"))
    name = records[number].against
    flags = [f"--workdir={rivals}", f"--episode={number}", "--check_only"]
    code, output, text = command_line.run("hts_tf.replay", *flags)
    assert code == 0, text
    assert f", against {name}, seed" in output
    code, output, _ = command_line.run("hts_tf.replay", f"--workdir={rivals}", "--list")
    assert code == 0
    assert "steps  against\n" in output


@pytest.mark.slow
def test_a_policy_plays_another(rivals, alone, tmp_path):
    """Also one that was trained where nobody was on the other side."""
    name = f"{rivals}@2"
    flags = [f"--workdir={alone}", f"--opponent={name}"]
    videos = [tmp_path / "one.gif", tmp_path / "again.gif"]

    def replay(*arguments):
        code, output, text = command_line.run("hts_tf.replay", *arguments)
        assert code == 0, text
        assert f"evaluation episode 0, against {name}, seed" in output
        assert "score, return and length agree with the archive" in output

    replay(*flags, "--match=5", "--last_step=12", f"--output={videos[0]}")
    [path] = (alone / "replays").glob("*.bin")
    assert path.name.endswith("@2_match5.bin")
    [played] = archive.read(path)
    assert played.against == name
    assert played.action_bytes == 4
    of_archive = [f"--workdir={alone}", f"--archive={path}"]
    replay(*of_archive, "--last_step=12", f"--output={videos[1]}")
    assert videos[0].read_bytes() == videos[1].read_bytes()
    again = [*flags, "--seed=5", "--episodes=1", "--novideo", f"--output={tmp_path / 'again.csv'}"]
    code, _, text = command_line.run("hts_tf.evaluate", *again)
    assert code == 0, text
    assert archive.read(tmp_path / "again.bin") == [played]
    other = tmp_path / "other.csv"
    code, output, text = command_line.run(
        "hts_tf.evaluate",
        f"--workdir={alone}",
        f"--opponent={rivals}",
        "--seed=5",
        "--episodes=1",
        "--novideo",
        f"--output={other}",
    )
    assert code == 0, text
    [against_newest] = archive.read(other.with_suffix(".bin"))
    assert against_newest.against == f"{rivals}@16"
    assert f"against {rivals}@16, also in {other}" in output
    assert against_newest.seed == played.seed
    assert against_newest.actions != played.actions


@pytest.mark.slow
def test_a_policy_plays_gfootballs_ai(rivals, tmp_path):
    """With the whole right team, of whom the run has controlled some."""
    flags = [f"--workdir={rivals}", "--opponent=AI 0.05", f"--output={tmp_path / 'match.gif'}"]
    code, output, text = command_line.run("hts_tf.replay", *flags, "--last_step=3")
    assert code == 0, text
    assert "evaluation episode 0, against AI 0.05, seed" in output
    assert "score, return and length agree with the archive" in output
    [path] = (rivals / "replays").glob("against_AI-0.05*.bin")
    [played] = archive.read(path)
    assert played.against == "AI 0.05"
    assert played.action_bytes == 2
    again = [f"--workdir={rivals}", f"--archive={path}", "--check_only"]
    code, output, text = command_line.run("hts_tf.replay", *again)
    assert code == 0, text
    assert "score, return and length agree with the archive" in output


# What `hts_tf.replay` starts, and passes on the words of.
EVALUATE = ["hts_tf.evaluate", "--novideo"]


@pytest.mark.slow
def test_of_several_tasks_one_with_another_side_is_played(rivals, tmp_path):
    train(
        tmp_path,
        "Trainer.environment = @Tasks()",
        "Tasks.environments = (@ai/Football(), @Football())",
        "ai/Football.right_players = 0",
        "Football.right_players = 2",
        "Trainer.opponents = @Opponents()",
        "Opponents.scripted = (@Always,)",
        *SHORT,
    )
    flags = [f"--workdir={tmp_path}", f"--opponent={rivals}", "--check_only"]
    code, output, text = command_line.run("hts_tf.replay", *flags)
    assert code == 0, text
    assert f"evaluation episode 1, against {rivals}@" in output
    table = tmp_path / "evaluation.csv"
    code, output, text = command_line.run(
        *EVALUATE, *flags[:2], "--episodes=2", f"--output={table}"
    )
    assert code == 0, text
    assert "1 of 2 episodes with the policy of" in output, "the other is not against it"
    with table.open() as file:
        lengths = [float(row["length"]) for row in csv.DictReader(file)]
    assert f"length: mean {lengths[1]:.3f}" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "opponent", "says"),
    [
        (EVALUATE, "{}/nowhere", "holds no run"),
        (["hts_tf.replay"], "{}@3", "there is no such policy, but those of updates "),
        (EVALUATE, "{}/other", "cannot play here: its observation is of another kind"),
        (EVALUATE, "AI 5", "'AI 5': gfootball's AI is called by a difficulty from 0 to 1"),
    ],
)
def test_who_cannot_be_played(rivals, alone, command, opponent, says):
    if not (rivals / "other").exists():
        train(
            rivals / "other",
            *SHORT,
            "Football.representation = 'simple115v2'",
        )
    flags = [f"--workdir={alone}", f"--opponent={opponent.format(rivals)}"]
    code, _, text = command_line.run(*command, *flags)
    assert code == 2
    assert text.startswith("error: ")
    assert says in text
    assert len(text.splitlines()) == 1
