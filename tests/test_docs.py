"""The worked example in the documentation is run as it stands there."""

import re
import shlex

import pytest

from hts_tf.files.curves import read_curve
from tests import command_line

PAGE = (command_line.ROOT / "docs" / "adding_a_method.md").read_text()
PYTHON = ".venv/bin/python -m "


def commands():
    """Returns the page's commands, as lists of module and arguments."""
    shell = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    lines = shell.replace("\\\n", "").splitlines()
    assert all(line.startswith(PYTHON) for line in lines)
    return [shlex.split(line.removeprefix(PYTHON)) for line in lines]


@pytest.mark.slow
def test_the_page_keeps_its_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = re.findall(r"^```\w+ (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert {name for name, _ in files} == {
        "reinforce.py",
        "reinforce.gin",
        "turns.py",
        "turns.gin",
    }
    for name, text in files:
        (tmp_path / name).write_text(text)
    train, train_in_turns, compare_runs = commands()

    assert command_line.run(*train)[0] == 0
    [score] = re.findall(r"score above (\d\.\d)", PAGE)
    assert read_curve(tmp_path / "runs/reinforce").score[-1] > float(score)

    assert command_line.run(*train_in_turns)[0] == 0
    assert "Trainer.schedule = @Turns" in (tmp_path / "runs/turns/config.gin").read_text()
    code, output, _ = command_line.run(*compare_runs)
    [last_line] = re.findall(r"the last line is `([^`]*)`", PAGE)
    assert (code, output.splitlines()[-1]) == (0, last_line)
