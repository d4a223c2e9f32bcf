"""What is typed: `hts` lists it, and lets a shell complete it."""

import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hts_tf import commands, completion
from tests import command_line

TYPED = {commands.console_name(name): f"hts_tf.{name}" for name in commands.COMMANDS}
_RUNS = 'if __name__ == "__main__":'


def test_every_command_that_users_type_is_listed():
    runnable = {
        path.stem
        for path in Path(commands.__file__).parent.glob("*.py")
        if _RUNS in path.read_text()
    }
    # But the list itself, and what trainings start.
    assert runnable - {"commands", "evaluating"} <= {*commands.COMMANDS}
    for name in commands.COMMANDS:
        assert _RUNS in commands.source(name).read_text(), name


def test_listing():
    code, said, errors = command_line.run("hts_tf.commands", "--help")
    assert (code, errors) == (0, "")
    for typed in TYPED:
        assert re.search(rf"^{typed} +\w.*[^.]$", said, re.M)


@pytest.mark.parametrize("words", [["train"], ["completion"], ["completion", "fish"], ["x"]])
def test_refuses_in_one_line(words):
    code, said, errors = command_line.run("hts_tf.commands", *words)
    assert (code, said) == (2, "")
    assert re.fullmatch(r"error: .*\n", errors)


@pytest.mark.parametrize(
    ("name", "package", "flags"),
    [
        ("plot_curves", "matplotlib", ["--workdirs=."]),
        ("plot_timeline", "matplotlib", ["--trace=trace.json"]),
        ("report", "jinja2", ["--comparison=."]),
        ("tournament", "matplotlib", ["--workdirs=."]),
        ("sweep", "optuna", ["--scenarios=x", "--search=PPO.epochs = whole(1, 6)", "--output=x"]),
        ("benchmarks.cluster_model", "matplotlib", ["--picture=model.png"]),
    ],
)
def test_without_the_packages_of_an_extra(name, package, flags, tmp_path):
    module = f"hts_tf.{name}"
    program = (
        f"import runpy, sys; sys.modules[{package!r}] = None; sys.argv[0] = {module!r}\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, *flags],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(command_line.ROOT)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2, found.stderr
    [line] = found.stderr.splitlines()
    assert re.match(rf"error: .* needs packages that are not there \(.*\b{package}\b", line)
    assert not [*tmp_path.iterdir()]


def test_modules_are_found_where_a_console_command_is_typed(tmp_path):
    """As by `python -m`: what is installed as a script has its own directory there instead.

    Here it is called by another name.
    """
    script = tmp_path / "bin" / "hts-check-environment"
    script.parent.mkdir()
    script.write_text("from hts_tf import commands\ncommands.run_console_command()\n")
    link = tmp_path / "check"
    link.symlink_to(script)
    (tmp_path / "of_mine.py").write_text("raise RuntimeError('it is here')")
    found = subprocess.run(
        [sys.executable, link, "--scenario=synthetic", "--gin_bindings=import of_mine"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(command_line.ROOT)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert found.stderr.endswith("imports of_mine: RuntimeError: it is here\n")


# ---- Completion ----------------------------------------------------------------------------------


@functools.cache
def script(shell):
    return completion.script(shell, TYPED)


def completed(*typed):
    """What bash offers for the last of the words, with `=` a word of its own, as in bash."""
    words = [part for word in typed for part in re.split(r"(?<=[^=])(=)", word) if part]
    if typed[-1] == "":
        words.append("")
    ask = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _hts_complete"
    program = script("bash") + f'{ask}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    found = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert "complete" not in found.stderr.replace("compopt", "")
    return found.stdout.splitlines()


def test_completes_commands_flags_and_values():
    assert completed("hts", "comp") == ["completion"]
    assert completed("hts", "completion", "") == ["bash", "zsh"]
    assert "--workdir=" in completed("hts-train", "--")
    assert completed("hts-train", "--num_m") == ["--num_machines="]
    assert completed("hts-train", "--noq") == ["--noquiet"]
    assert completed("hts-train", "--method=hts_") == ["hts_a2c", "hts_ppo", "hts_ppo_fast"]
    assert completed("hts-train", "--method", "imp") == ["impala"]
    assert completed("hts-doctor", "--") == ["--fix", "--ray_address="]
    assert completed("hts-compare", "--methods=ppo,hts_p") == ["ppo,hts_ppo", "ppo,hts_ppo_fast"]
    assert "academy_corner" in completed("hts-play", "--scenario=academy_c")
    assert completed("hts-play", "--stage=") == ["auto", "window", "terminal"]


def test_completes_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run-of-mine").mkdir()
    assert completed("hts-evaluate", "--workdir=run-") == ["run-of-mine"]
    Path("my runs").mkdir()
    assert completed("hts-evaluate", "--workdir=my") == ["my runs"]


def test_zsh_gets_what_bash_gets():
    assert script("zsh").endswith(script("bash"))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "evaluate", "replay", "export"])
def test_flags_are_those_that_help_says(command):
    code, said, _ = command_line.run(f"hts_tf.{command}", "--help")
    assert code == 0
    flags = {flag.name for flag in completion.flags_of(f"hts_tf.{command}")}
    assert flags == {*re.findall(r"^ {2}--(?:\[no\])?(\w+):", said, re.M)}
