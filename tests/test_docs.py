"""The worked examples in the documentation are run as they stand there."""

import re
import shlex

import numpy as np
import pytest

from hts_tf import candidates
from hts_tf.candidates import Candidate
from hts_tf.files import archive
from hts_tf.files.curves import RunLog, read_curve
from tests import command_line

PYTHON = ".venv/bin/python -m "

pytestmark = pytest.mark.slow


class Page:
    """A page whose files lie in the current directory.

    Attributes:
      text: of the page.
      outputs: what it says that commands print.
    """

    def __init__(self, name):
        self.text = (command_line.ROOT / "docs" / name).read_text()
        self.outputs = self._blocks("text")
        self.scripts = self._blocks("python")

    @property
    def commands(self):
        """What it types, in its order, as lists of module and arguments."""
        lines = "".join(self._blocks("sh")).replace("\\\n", "").splitlines()
        assert all(line.startswith(PYTHON) for line in lines)
        return [shlex.split(line.removeprefix(PYTHON)) for line in lines]

    def _blocks(self, kind):
        return re.findall(rf"^```{kind}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def write_files(self, directory, names):
        """Writes the page's files; there are to be those of these names."""
        found = re.findall(r"^```\w+ (\S+)\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        assert [name for name, _ in found] == names
        for name, text in found:
            (directory / name).write_text(text)

    def says(self, pattern):
        """Returns what it says in one place."""
        [found] = re.findall(pattern, self.text)
        return found


def run(command, exit_code=0):
    """Runs one of a page's commands; returns what it printed."""
    code, output, errors = command_line.run(*command)
    assert code == exit_code, errors
    return output


def test_adding_a_method(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Page("adding_a_method.md")
    names = ["reinforce.py", "reinforce.gin", "adaptive_kl.py", "adaptive_kl.gin", "turns.py"]
    page.write_files(tmp_path, [*names, "turns.gin"])
    train, train_variant, train_in_turns, compare_runs = page.commands

    run(train)
    score = float(page.says(r"score above (\d\.\d)"))
    assert read_curve(tmp_path / "runs/reinforce").score[-1] > score

    run(train_variant)
    weights = RunLog(tmp_path / "runs/adaptive_kl").series["learner/kl_weight"]
    assert len({*weights.values()}) > 1
    configuration = (tmp_path / "runs/adaptive_kl/config.gin").read_text()
    assert "PPO.clip = 1.0" in configuration
    assert "AdaptiveKL.clip" not in configuration

    run(train_in_turns)
    assert "Trainer.schedule = @Turns" in (tmp_path / "runs/turns/config.gin").read_text()
    last_line = run(compare_runs).splitlines()[-1]
    assert last_line == page.says(r"the last line is `([^`]*)`")


def test_your_own_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Page("your_own_environment.md")
    games = ["catch.py", "catch.gin", "larger.gin", "stays.py", "fast_catch.py", "fast_catch.gin"]
    page.write_files(tmp_path, [*games, "eager.py", "eager.gin"])
    check, train, plot, evaluate, replay, *further = page.commands
    check_larger, check_stays, train_stays, train_fast, compare_runs = further
    checked, checked_stays = page.outputs

    assert run(check).startswith(checked)
    run(train)
    score = float(page.says(r"ends above (\d\.\d)"))
    assert read_curve(tmp_path / "runs/catch").score[-1] > score
    run(plot)
    run(evaluate)
    run(replay)
    assert (tmp_path / "catch.png").exists() and (tmp_path / "catch.gif").exists()
    run([*replay[:2], "--check_only"], exit_code=2)  # nobody has said that the module is known

    assert "float32 [2, 2]" in run(check_larger)
    assert checked_stays in run(check_stays, exit_code=1)
    few = "--gin_bindings=Trainer.total_env_steps = 1024"
    assert "not reproducible" in run([*train_stays, few])

    around_football = ["--scenario=academy_empty_goal_close", "--gin_files=eager.gin"]
    told = run(["hts_tf.check_environment", *around_football, "--episodes=1"])
    assert "in another process: the same to the bit" in told
    assert float(run(["tests.program", COST])) == -0.5

    run(train_fast)
    last_line = run(compare_runs).splitlines()[-1]
    assert last_line == page.says(r"last line is `([^`]*)`")


# What an env step of two games pays more where it costs 0.5.
COST = """
import numpy as np
from eager import Eager
from hts_tf.environments.synthetic import Synthetic

games = Synthetic().make(), Eager(Synthetic(), 0.5).make()
seen = np.zeros(Synthetic().spec.observation.shape, np.float32)
rewards = []
for game in games:
    game.reset(0, seen)
    rewards.append(game.step(0, seen).reward)
    game.close()
print(rewards[1] - rewards[0])
"""


TEAMS = Page("teams.md")
SCHEMES = dict(re.findall(r"^\| (.*?) \| (`Trainer\.opponents = .*) \|$", TEAMS.text, re.MULTILINE))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_of_opponents(scheme, clean_gin):
    bindings = re.findall("`([^`]*)`", SCHEMES[scheme].replace("runs/a", "academy_corner"))
    bindings.append("Football.right_players = 1")
    candidates.check(Candidate("academy_3_vs_1_with_keeper", "hts_ppo_fast", (), bindings))


def test_a_curriculum(tmp_path, clean_gin):
    [text] = re.findall(r"^cat > curriculum\.gin <<'END'\n(.*?)^END$", TEAMS.text, re.M | re.DOTALL)
    (tmp_path / "curriculum.gin").write_text(text)
    players = str(command_line.ROOT / "gin_configs/football_players.gin")
    files = [players, str(tmp_path / "curriculum.gin")]
    candidates.check(Candidate("5_vs_5", "hts_ppo_fast", files, ()))


def test_opponents_of_your_own(tmp_path, monkeypatch):
    """On a scenario whose episodes are soon over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gin_configs").symlink_to(command_line.ROOT / "gin_configs")
    TEAMS.write_files(tmp_path, ["rushing.py", "rushing.gin"])
    lines = [line for line in TEAMS.text.splitlines() if "--workdir=runs/rushing" in line]
    train, replay = (shlex.split(line.removeprefix(PYTHON)) for line in lines)
    few = ["Trainer.num_envs = 4", "Trainer.sync_interval = 64", "Trainer.total_env_steps = 1024"]
    few = [f"--gin_bindings={binding}" for binding in few]
    run([*train, "--scenario=academy_3_vs_1_with_keeper", *few, command_line.ONE_EXECUTOR])
    run([*replay, "--check_only"])
    records = archive.read(tmp_path / "runs/rushing/episodes.bin")
    met = [record for record in records if record.against == "Rusher"]
    chosen = [np.frombuffer(record.actions, np.uint8).reshape(-1, 6)[:, 4:] for record in met]
    moves = {*np.unique(np.concatenate(chosen)).tolist()} - {12}
    assert len(moves) > 1
    assert moves <= {*range(1, 9)}


def test_from_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output, errors = command_line.run("tests.program", "".join(Page("python.md").scripts))
    assert code == 0, errors
    assert "CartPole-v1" in (tmp_path / "runs/cartpole/config.gin").read_text()
    assert re.search(r"^\d+ env steps$", output, re.MULTILINE)
