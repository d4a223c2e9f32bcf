"""The launch scripts, with stand-ins for whatever is slow or needs root, and the package."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import waiting

ROOT = Path(__file__).parents[1]
SOURCES = ("launch", "hts_tf", "gin_configs", "models", "setup.py", "pyproject.toml", "README.md")

# What launch/setup.sh needs of the system when everything around it is replaced.
TOOLS = ("bash", "cat", "chmod", "cut", "dirname", "env", "find", "flock", "ln", "mkdir", "mv")
TOOLS += ("readlink", "rm", "sed", "sha256sum", "sleep", "tail")


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def copy_project(tree, linked=()):
    """Copies the project to a directory; of some directories there are only links."""
    for name in SOURCES:
        source = ROOT / name
        if name in linked:
            (tree / name).symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / name)
    return tree


@pytest.fixture
def tree(tmp_path):
    """A copy of the project, in a path with a space; of what no test writes to, links."""
    tree = tmp_path / "a tree"
    tree.mkdir()
    return copy_project(tree, linked=("hts_tf", "gin_configs", "models"))


@pytest.fixture
def run(tree, tmp_path):
    """Runs bash code after sourcing setup.sh, with a PATH of a few tools and of `tmp_path/bin`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))

    def run(code: str, **kwargs) -> subprocess.CompletedProcess:
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{tools}",
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        command = ["bash", "-c", f"source launch/setup.sh\n{code}"]
        return subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, **kwargs
        )

    return run


# ---- The interpreter ----------------------------------------------------------------------------


def interpreter(usr: Path, minor: int, library: bool = True) -> None:
    script(usr / f"bin/python3.{minor}", "")
    header = usr / f"include/python3.{minor}/Python.h"
    header.parent.mkdir(parents=True)
    header.touch()
    if library:
        path = usr / f"lib/x-linux-gnu/libboost_python3{minor}.so"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_interpreter_is_one_with_boost_python(run, tmp_path):
    interpreter(tmp_path, 11)
    interpreter(tmp_path, 13, library=False)
    assert run('find_python "$HOME"').stdout == f"{tmp_path}/bin/python3.11\n"


def test_interpreter_is_the_default_one_where_several_have_boost_python(run, tmp_path):
    for minor in (11, 12, 13):
        interpreter(tmp_path, minor)
    assert run('find_python "$HOME"').stdout == f"{tmp_path}/bin/python3.13\n"
    (tmp_path / "bin/python3").symlink_to("python3.12")
    assert run('find_python "$HOME"').stdout == f"{tmp_path}/bin/python3.12\n"


@pytest.mark.parametrize("minor", [None, 9])
def test_no_interpreter(run, tmp_path, minor):
    if minor is not None:
        interpreter(tmp_path, minor)
    result = run('find_python "$HOME"')
    assert result.returncode != 0
    assert not result.stdout


# ---- Debian packages ----------------------------------------------------------------------------


@pytest.fixture
def debian(tmp_path):
    """A stand-in for Debian on which two packages are missing; apt-get calls go to a file."""
    calls = tmp_path / "calls"
    script(
        tmp_path / "bin/dpkg-query",
        'case "${@: -1}" in cmake|python3-dev) exit 1 ;; *) echo -n installed ;; esac',
    )
    script(tmp_path / "bin/apt-get", f'echo "$@" >> {calls}; echo apt-get said this')
    return calls


INSTALL = "apt-get install -y --no-install-recommends cmake python3-dev"
PREPARE = 'mkdir -p "$cache/log"; exec 9> "$cache/lock"\n'


def test_missing_packages_without_root_or_sudo(run, debian):
    result = run("is_root() { false; }; install_packages")
    assert result.returncode == 1
    assert f"apt-get update && {INSTALL}\n" in result.stderr
    assert "as root" in result.stderr
    assert not debian.exists()


def test_missing_packages_when_sudo_asks_and_nobody_can_answer(run, debian, tmp_path):
    script(tmp_path / "bin/sudo", "exit 1")
    result = run("is_root() { false; }; install_packages", stdin=subprocess.DEVNULL)
    assert result.returncode == 1
    assert f"sudo apt-get update && sudo {INSTALL}\n" in result.stderr
    assert not debian.exists()


def test_missing_packages_with_sudo(run, debian, tmp_path):
    script(tmp_path / "bin/sudo", 'if [[ $1 == -n ]]; then shift; fi; SUDO=1 "$@"')
    script(tmp_path / "bin/true", "exit 0")
    script(tmp_path / "bin/apt-get", f'echo "$SUDO $@" >> {debian}')
    result = run(PREPARE + "is_root() { false; }; install_packages")
    assert result.returncode == 0, result.stderr
    assert [line.split()[0] for line in debian.read_text().splitlines()] == ["1", "1"]


def test_missing_packages_as_root(run, debian):
    result = run(PREPARE + "is_root() { true; }; install_packages")
    assert result.returncode == 0, result.stderr
    update, install = debian.read_text().splitlines()
    assert update.endswith("update")
    assert " cmake python3-dev " in install


def test_packages_that_cannot_be_installed(run, debian, tmp_path):
    script(tmp_path / "bin/apt-get", "echo Unable to fetch; exit 100")
    result = run(PREPARE + "is_root() { true; }; install_packages")
    assert result.returncode == 1
    assert "Unable to fetch" in result.stderr
    assert str(tmp_path / "cache/hts_tf/log/apt.log") in result.stderr


def test_nothing_is_installed_when_nothing_is_missing(run, debian, tmp_path):
    script(tmp_path / "bin/dpkg-query", "echo -n installed")
    result = run("is_root() { false; }; install_packages")
    assert (result.returncode, result.stderr) == (0, "")


def test_not_a_debian_system(run):
    result = run("install_packages")
    assert result.returncode == 1
    assert "Debian or Ubuntu" in result.stderr


# ---- The wheel's key ----------------------------------------------------------------------------


def test_the_wheel_depends_on_patch_flags_compiler_and_processor(run, tmp_path):
    (tmp_path / "bin").mkdir()
    python = tmp_path / f"bin/python3.{sys.version_info.minor}"
    python.symlink_to(sys.executable)
    script(tmp_path / "bin/c++", "echo c++ 12.2")

    def describe(change: str = "") -> str:
        result = run(f'{change}\ndescribe_build "{python}"')
        assert result.returncode == 0, result.stderr
        return result.stdout

    first = describe()
    assert '"gfootball": "2.10.2"' in first
    assert "-ffp-contract=off" in first
    changes = ["CXXFLAGS=-O1", "processor() { echo another; }", "gfootball_version() { echo 3; }"]
    changes.append("patch=setup.py")
    assert len({first, *map(describe, changes)}) == 5
    assert describe() == first
    script(tmp_path / "bin/c++", "echo c++ 13.1")
    assert describe() != first


# ---- The whole, and what interrupts it ----------------------------------------------------------

# Everything slow replaced; what was called goes to standard output.
STAND_INS = """
find_python() { echo "$HOME/bin/python3.11"; }
install_packages() { echo packages; }
describe_build() { echo "${kind-usual}"; }
build_wheel() { mkdir "$2"; }
install_project() { :; }
install_all() { :; }
await() { wait "$2" && echo "${1##*/}"; }
"""


@pytest.fixture
def set_up(run, tmp_path):
    script(
        tmp_path / "bin/python3.11",
        'mkdir -p "$3/bin"; ln -sf "$HOME/bin/python3.11" "$3/bin/python"',  # -m venv DIRECTORY
    )

    def set_up(before: str = "", arguments: str = "") -> subprocess.CompletedProcess:
        return run(f"{STAND_INS}\n{before}\nmain {arguments}")

    return set_up


BUILD = ["TensorFlow and the other Python packages", "gfootball"]
UPDATE = ["packages", "hts_tf and gfootball"]
WITHOUT_BUILD = ["packages", ".venv", "hts_tf and gfootball"]
EVERYTHING = ["packages", ".venv", *BUILD, "hts_tf and gfootball"]


def test_set_up_is_done_once(set_up):
    first = set_up()
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == EVERYTHING
    second = set_up()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_another_clone_takes_the_wheel_from_the_cache(set_up, tree):
    set_up()
    shutil.rmtree(tree / ".venv")
    assert set_up().stdout.splitlines() == WITHOUT_BUILD


def test_another_kind_of_build_has_its_own_wheel(set_up):
    set_up()
    assert set_up("kind=other", "--force").stdout.splitlines() == EVERYTHING
    assert set_up("kind=other", "--force").stdout.splitlines() == WITHOUT_BUILD


def test_a_changed_setup_py_updates_in_place(set_up, tree):
    set_up()
    (tree / ".venv/mine").touch()
    with (tree / "setup.py").open("a") as file:
        file.write("\n# changed\n")
    assert set_up().stdout.splitlines() == UPDATE
    assert (tree / ".venv/mine").exists()
    assert set_up().stdout == ""


# What waits for a step, as it is: it says why one failed.
AWAIT = """
unset -f await
eval "$(sed -n '/^await() {/,/^}/p' launch/setup.sh)"
"""


def test_an_update_that_fails_leaves_what_is_there(set_up, tree):
    set_up()
    (tree / ".venv/mine").touch()
    with (tree / "setup.py").open("a") as file:
        file.write("\n# changed\n")
    for _ in range(2):
        result = set_up(f"install_all() {{ echo no network; return 3; }}\n{AWAIT}")
        assert result.returncode != 0
        assert "no network" in result.stderr
    assert set_up().stdout.splitlines() == UPDATE
    assert (tree / ".venv/mine").exists()
    assert set_up().stdout == ""


def test_a_new_command_is_an_update(set_up, tree):
    set_up()
    package = tree / "hts_tf"
    package.unlink()
    shutil.copytree(ROOT / "hts_tf", package, ignore=shutil.ignore_patterns("__pycache__"))
    assert set_up().stdout == ""
    with (package / "commands.py").open("a") as file:
        file.write("\n# changed\n")
    assert set_up().stdout.splitlines() == UPDATE


ADDING = 'install_project() { echo "$1" > "$HOME/added"; }'


def added(tmp_path):
    """The extras that pip was asked for last; those of football and tests come first."""
    names = (tmp_path / "added").read_text().strip().split(",")
    assert names[:5] == ["football", "plot", "report", "video", "test"]
    return names[5:]


def test_extras_are_added_once(set_up, tree, tmp_path):
    set_up()
    (tree / ".venv/mine").touch()
    assert set_up(ADDING, "--extras=atari").stdout.splitlines() == ["atari"]
    assert added(tmp_path) == ["atari"]
    assert set_up(arguments="--extras=atari").stdout == ""
    assert set_up().stdout == "", "the set-up without extras is there, too"
    assert set_up(ADDING, "--extras=mujoco,atari").stdout.splitlines() == ["atari,mujoco"]
    assert added(tmp_path) == ["atari", "mujoco"]
    for arguments in ("", "--extras=", "--extras=mujoco", "--extras=atari --extras=mujoco"):
        assert set_up(arguments=arguments).stdout == ""
    assert (tree / ".venv/mine").exists()


ALL = 'install_all() { echo "$2" > "$HOME/added"; }'


def test_extras_of_the_first_set_up_and_of_updates(set_up, tree, tmp_path):
    assert set_up(ALL, "--extras=gymnasium").stdout.splitlines() == EVERYTHING
    assert (tmp_path / "added").read_text() == "gymnasium\n"
    assert set_up(arguments="--extras=gymnasium").stdout == ""
    with (tree / "setup.py").open("a") as file:
        file.write("\n# changed\n")
    assert set_up(ALL, "--extras=mujoco").stdout.splitlines() == UPDATE
    assert (tmp_path / "added").read_text() == "gymnasium,mujoco\n"
    assert set_up(arguments="--extras=gymnasium,mujoco").stdout == ""


def test_extras_that_cannot_be_added_leave_what_is_there(set_up, tree):
    set_up()
    failing = "install_project() { echo no network; return 3; }"
    result = set_up(f"{failing}\n{AWAIT}", "--extras=atari")
    assert result.returncode != 0
    assert "no network" in result.stderr
    assert set_up().stdout == "", "football is as it was"
    assert set_up(arguments="--extras=atari").stdout.splitlines() == ["atari"]


def test_extras_that_there_are_not(set_up):
    result = set_up(arguments="--extras=atari,retro")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "[set-up] There is no extra 'retro'; there are: gymnasium atari mujoco box2d pettingzoo "
        "cluster sweep onnx trackers docs"
    ]
    assert not result.stdout


@pytest.mark.parametrize("argument", ["--extra=atari", "--extras", "atari", "-f"])
def test_arguments_that_there_are_not(set_up, argument):
    result = set_up(arguments=f"--force {argument}")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"[set-up] There is no argument '{argument}'; there are: --extras=A,B --force --help"
    ]
    assert not result.stdout


@pytest.mark.parametrize("argument", ["-h", "--help"])
def test_help_sets_nothing_up(set_up, argument):
    result = set_up(arguments=argument)
    assert result.stdout.startswith("Sets up everything")
    assert "--extras=" in result.stdout
    assert "set -euo" not in result.stdout


def test_every_extra_of_the_set_up_is_the_packages(run):
    declared = run('sed -n "/^EXTRAS/,/^}/p" setup.py').stdout
    names = run('printf "%s\n" "${known_extras[@]}"').stdout.split()
    assert names
    for name in names:
        assert f'    "{name}": [' in declared


def test_place_interpreter_and_processor_determine_the_set_up(run, tree):
    changes = ["", "processor() { echo another; }", "ln -s . here; root+=/here"]
    prints = [run(f"{change}\nfingerprint python3.11").stdout for change in changes]
    assert len({*prints, run("fingerprint python3.12").stdout}) == 4
    assert run("fingerprint python3.11").stdout == prints[0]


def test_an_unfinished_set_up_is_made_anew(set_up, tree):
    assert set_up("install_all() { return 3; }").returncode != 0
    (tree / ".venv/half-installed").touch()
    result = set_up()
    assert "unfinished" in result.stderr
    assert result.stdout.splitlines() == WITHOUT_BUILD
    assert not (tree / ".venv/half-installed").exists()


def test_force_makes_it_anew(set_up, tree):
    set_up()
    (tree / ".venv/mine").touch()
    assert set_up(arguments="--force").stdout.splitlines() == WITHOUT_BUILD
    assert not (tree / ".venv/mine").exists()


def test_force_keeps_the_extras(set_up):
    set_up(arguments="--extras=atari")
    assert set_up(arguments="--force").returncode == 0
    assert set_up(arguments="--extras=atari").stdout == ""


def test_extras_outlive_a_set_up_that_does_not_finish(set_up, tree):
    set_up(arguments="--extras=atari")
    assert set_up("install_all() { return 3; }", "--force").returncode != 0
    with (tree / "setup.py").open("a") as file:
        file.write("\n# changed\n")
    assert set_up("install_all() { return 3; }").returncode != 0
    assert set_up().returncode == 0
    assert set_up(arguments="--extras=atari").stdout == ""


def test_another_interpreter_makes_it_anew(set_up, tree):
    set_up()
    (tree / ".venv/bin/python").unlink()
    assert "of another Python" in set_up().stderr


def test_a_failing_step_shows_the_end_of_its_log(run):
    result = run(PREPARE + 'start "$cache/log/x" bash -c "echo no network; exit 7"; await It $job')
    assert result.returncode == 1
    assert "no network" in result.stderr
    assert "It: failed" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_step_with_its_children(tree, tmp_path, number):
    code = """
source launch/setup.sh
stop_jobs_on_exit
start "$HOME/log" bash -c 'sleep 1000 & echo $! > "$HOME/child.new"; mv "$HOME"/child{.new,}; wait'
await It "$job"
"""
    process = subprocess.Popen(
        ["bash", "-c", code],
        cwd=tree,
        env={**os.environ, "HOME": str(tmp_path)},
        # A shell cannot trap what was ignored when it was started, as SIGHUP under nohup.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    child_file = tmp_path / "child"
    while not child_file.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() == 128 + number
    child = Path("/proc", child_file.read_text().strip(), "cmdline")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        waiting.until(lambda: not child.read_bytes())  # it has been killed, which takes a moment


# ---- The other commands -------------------------------------------------------------------------


@pytest.fixture
def launch(tree):
    """Runs a launch command in a tree that is set up, with an interpreter that prints its call."""
    script(tree / "launch/setup.sh", 'echo "set-up $*" >&2')
    script(tree / ".venv/bin/python", 'printf "%s\\n" "${@:2}"; [[ $2 != "$FAIL" ]]')

    def launch(name: str, *arguments: str, fail: str = "") -> subprocess.CompletedProcess:
        return subprocess.run(
            [tree / "launch" / name, *arguments],
            env={**os.environ, "FAIL": fail},
            capture_output=True,
            text=True,
        )

    return launch


@pytest.mark.parametrize(
    ("arguments", "scenario", "workdir"),
    [
        ([], "academy_empty_goal_close", "academy_empty_goal_close-hts_ppo-seed0"),
        (["academy_corner"], "academy_corner", "academy_corner-hts_ppo-seed0"),
        (["--scenario=academy_corner"], "academy_corner", "academy_corner-hts_ppo-seed0"),
        (["academy_corner", "--seed=3"], "academy_corner", "academy_corner-hts_ppo-seed3"),
        (
            ["--seed", "3", "--method", "ppo"],
            "academy_empty_goal_close",
            "academy_empty_goal_close-ppo-seed3",
        ),
        (
            ["-seed=3", "-method", "ppo"],  # one dash does, too
            "academy_empty_goal_close",
            "academy_empty_goal_close-ppo-seed3",
        ),
        (["ALE/Pong-v5"], "ALE/Pong-v5", "ALE-Pong-v5-hts_ppo-seed0"),
        (["mine.games:My/Game-v0"], "mine.games:My/Game-v0", "mine.games-My-Game-v0-hts_ppo-seed0"),
    ],
)
def test_train_chooses_a_workdir(launch, tree, arguments, scenario, workdir):
    call = launch("train.sh", *arguments).stdout.splitlines()
    assert call[0] == "hts_tf.train"
    assert f"--scenario={scenario}" in call
    assert call[2] == f"--workdir={tree}/runs/{workdir}"


@pytest.mark.parametrize(
    ("scenario", "extra"),
    [
        ("academy_corner", ""),
        ("11_vs_11_easy_stochastic", ""),
        ("synthetic", ""),
        ("CartPole-v1", "gymnasium"),
        ("gymnasium:CartPole-v1", "gymnasium"),
        ("mine:Game-v0", "gymnasium"),
        ("ALE/Pong-v5", "atari"),
        ("PongNoFrameskip-v4", "atari"),
        ("HalfCheetah-v5", "mujoco"),
        ("InvertedDoublePendulum-v5", "mujoco"),
        ("gymnasium:Walker2d-v4", "mujoco"),
        ("LunarLander-v3", "box2d"),
        ("BipedalWalkerHardcore-v3", "box2d"),
    ],
)
def test_train_sets_up_what_a_scenario_needs(launch, scenario, extra):
    expected = f"set-up --extras={extra}\n" if extra else "set-up \n"
    assert launch("train.sh", scenario).stderr == expected


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        (["--num_machines=1"], ""),
        (["--num_machines=0"], ""),
        (["--num_machines=-2"], ""),
        (["--num_machines=2"], "cluster"),
        (["--num_machines", "10"], "cluster"),
        (["CartPole-v1", "--num_machines=2"], "gymnasium,cluster"),
        (["--num_machines=2", "--num_machines=1"], ""),
    ],
)
def test_train_sets_up_ray_for_several_machines(launch, arguments, extras):
    expected = f"set-up --extras={extras}\n" if extras else "set-up \n"
    assert launch("train.sh", *arguments).stderr == expected


def test_cluster_is_train_with_defaults(launch, tree):
    result = launch("cluster.sh", "ALE/Pong-v5", "--seed=1", "--gin_bindings=A.b = 1")
    assert result.stderr == "set-up --extras=atari,cluster\n"
    defaults = ["--num_machines=2", f"--gin_files={tree}/gin_configs/cluster.gin"]
    mine = ["--seed=1", "--gin_bindings=A.b = 1"]
    assert result.stdout.splitlines() == [
        "hts_tf.train",
        "--scenario=ALE/Pong-v5",
        f"--workdir={tree}/runs/ALE-Pong-v5-hts_ppo-seed1",
        "--scenario=ALE/Pong-v5",
        *defaults,
        *mine,
    ]


@pytest.mark.parametrize(("machines", "extras"), [("4", "--extras=cluster"), ("1", "")])
def test_cluster_leaves_the_number_of_machines_to_the_user(launch, machines, extras):
    result = launch("cluster.sh", f"--num_machines={machines}")
    assert result.stderr == f"set-up {extras}\n"
    found = [line for line in result.stdout.splitlines() if line.startswith("--num_machines")]
    assert found[-1] == f"--num_machines={machines}", "absl takes the last one"


def test_cluster_without_arguments(launch):
    assert "--scenario=academy_empty_goal_close" in launch("cluster.sh").stdout.splitlines()


@pytest.mark.parametrize("workdir", [["--workdir=/x y"], ["--workdir", "/x y"]])
def test_train_leaves_a_given_workdir(launch, workdir):
    call = launch("train.sh", "--gin_bindings=Trainer.num_envs = 4", *workdir).stdout.splitlines()
    assert call[3:] == ["--gin_bindings=Trainer.num_envs = 4", *workdir], "which is the last"


def test_the_code_of_another_checkout_is_not_run(launch, tree, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (other / "hts_tf").mkdir(parents=True)
    monkeypatch.chdir(other)
    assert launch("train.sh").returncode == 0, "that is no package"
    (other / "hts_tf/__init__.py").touch()
    refused = launch("train.sh")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: here Python would take the hts_tf of this directory")
    assert launch("test.sh").returncode == 0, "which goes to its own"
    monkeypatch.chdir(tree)
    assert launch("train.sh").returncode == 0


def test_train_passes_the_exit_status(launch):
    assert launch("train.sh", fail="hts_tf.train").returncode == 1


def test_test_runs_linter_and_tests(launch):
    result = launch("test.sh", "-k", "a b")
    assert result.returncode == 0
    of_environments = "gymnasium,atari,mujoco,box2d,pettingzoo"
    assert result.stderr == f"set-up --extras={of_environments},cluster,sweep,onnx,trackers,docs\n"
    ruff = ["ruff", "check", ".", "ruff", "format", "--check", "."]
    pytest = ["pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "-k", "a b"]
    assert result.stdout.splitlines() == [*ruff, *pytest]


@pytest.mark.parametrize("name", ["train", "cluster", "compare", "sweep", "benchmark", "test"])
def test_help_does_not_set_up(launch, tree, name):
    told = launch(f"{name}.sh", "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert f"./launch/{name}.sh" in told.stdout
    assert "hts_tf." not in told.stdout.splitlines()[0]
    (tree / ".venv/hts_tf-stamp").write_text("\n")  # of one that has not finished
    assert launch(f"{name}.sh", "-h").stdout == told.stdout


def test_a_link_to_a_command_is_as_good(launch, tree, tmp_path):
    (tmp_path / "football").symlink_to(tree / "launch/train.sh")
    by_link = launch(tmp_path / "football", "academy_corner")
    assert by_link.stdout == launch("train.sh", "academy_corner").stdout
    told = launch(tmp_path / "football", "--help").stdout
    assert told == launch("train.sh", "--help").stdout


def test_without_a_home(tree):
    """As services are started."""
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    for name in ("XDG_CACHE_HOME", "BASH_ENV"):
        environment.pop(name, None)
    command = ["bash", "-c", 'source launch/setup.sh; echo "$cache"']
    told = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert told.stdout == f"{pwd.getpwuid(os.getuid()).pw_dir}/.cache/hts_tf\n", told.stderr


def test_help_of_what_is_set_up_has_all_flags(launch, tree):
    (tree / ".venv/hts_tf-stamp").write_text("fingerprint\n")
    for asked in ("-h", "--help"):
        told = launch("train.sh", "CartPole-v1", asked)
        assert told.stdout.splitlines()[0] == "hts_tf.train"
        assert "--help" in told.stdout.splitlines()
        assert not told.stderr, "nothing is set up, nor extras added"
        told = launch("benchmark.sh", asked)
        assert (told.returncode, told.stderr) == (0, "")
        assert "./launch/benchmark.sh throughput" in told.stdout
        assert launch("benchmark.sh", "systems", asked).stdout.splitlines()[1] == "--help"


@pytest.mark.parametrize("step", ["ruff", "pytest"])
def test_test_passes_the_exit_status(launch, step):
    assert launch("test.sh", fail=step).returncode == 1


def test_tensorboard(launch, tree):
    assert launch("tensorboard.sh").stdout.splitlines()[1] == f"--logdir={tree}/runs"
    call = launch("tensorboard.sh", "elsewhere", "--port=7").stdout.splitlines()
    assert call[1:] == ["--logdir=elsewhere", "--port=7"]


def test_a_search_path_of_directories_changes_nothing(launch, tree):
    """With which `cd launch/..` would go elsewhere, or say where it went."""
    environment = {**os.environ, "CDPATH": f".:{tree.parent}"}
    command = ["bash", "launch/compare.sh", "--seeds=0"]
    told = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert told.stdout.splitlines() == ["hts_tf.compare", "--seeds=0"], told.stderr


def test_compare(launch):
    call = launch("compare.sh", "--seeds=0,1", "--output=a b").stdout.splitlines()
    assert call == ["hts_tf.compare", "--seeds=0,1", "--output=a b"]


def test_sweep(launch):
    result = launch("sweep.sh", "--search=A.b = log(0.1, 1)", "--trials=3")
    assert result.stderr == "set-up --extras=sweep\n"
    assert result.stdout.splitlines() == [
        "hts_tf.sweep",
        "--search=A.b = log(0.1, 1)",
        "--trials=3",
    ]


def test_benchmark(launch):
    call = launch("benchmark.sh", "pipeline", "--seconds=1").stdout.splitlines()
    assert call == ["hts_tf.benchmarks.pipeline", "--seconds=1"]
    assert launch("benchmark.sh", "formats").stderr == "set-up --extras=onnx\n"


@pytest.mark.parametrize("name", [[], [""], ["speed"], ["throughput pipeline"]])
def test_benchmark_lists_what_there_is(launch, name):
    result = launch("benchmark.sh", *name)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "throughput systems scaling pipeline profile formats" in result.stderr
    assert not result.stdout


# ---- The package --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A copy of the project, in a path with a space, and the wheel that is built of it."""
    tree = copy_project(tmp_path_factory.mktemp("a tree"))
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", directory, tree], check=True, capture_output=True)
    (wheel,) = directory.glob("hts_tf-*.whl")
    return tree, wheel


@pytest.mark.slow
def test_the_package_holds_what_is_no_python(packed):
    tree, wheel = packed
    packaged = zipfile.ZipFile(wheel).namelist()
    wanted = [f"hts_tf/{path.relative_to(tree)}" for path in tree.glob("gin_configs/**/*.gin")]
    assert wanted
    assert set(wanted) <= set(packaged)
    shipped = [
        path for what in ("config.gin", "*/*.ckpt") for path in tree.glob(f"models/*/{what}")
    ]
    assert shipped
    assert {f"hts_tf/{path.relative_to(tree)}" for path in shipped} <= set(packaged)
    assert "hts_tf/networks/native_ops.cc" in packaged
    football = "hts_tf/environments/football"
    assert {f"{football}/engine_build.env", f"{football}/engine.patch"} <= set(packaged)
    assert {"hts_tf/report/page.html", "hts_tf/report/poster_required_time.csv"} <= set(packaged)
    assert "hts_tf/environments/__init__.py" in packaged


@pytest.mark.slow
def test_a_wheel_trains_where_there_is_neither_checkout_nor_compiler(packed, tmp_path):
    _, wheel = packed
    site, home = tmp_path / "site", tmp_path / "home"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", f"--target={site}"]
    subprocess.run([*pip, wheel], check=True, capture_output=True)
    home.mkdir()
    environment = {
        "HOME": str(home),
        "PATH": str(site / "bin"),
        "PYTHONPATH": f"{site}{os.pathsep}{sysconfig.get_path('purelib')}",
    }

    def typed(name, *flags):
        command = [site / "bin" / name, *flags]
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    code, said, errors = typed("hts")
    assert code == 0, errors
    listed = said.partition("\n\n")[0].splitlines()
    assert listed
    assert {line.split()[0] for line in listed} <= {path.name for path in site.glob("bin/hts-*")}
    scenario = "CartPole-v1" if find_spec("gymnasium") else "synthetic"
    few = ["--gin_bindings=Trainer.total_env_steps = 512"]
    few += ["--gin_bindings=Trainer.num_executors = 1"]
    code, said, errors = typed("hts-train", f"--scenario={scenario}", "--workdir=run", *few)
    assert code == 0, errors
    assert "parameters " in said
    code, said, errors = typed("hts-evaluate", "--workdir=run", "--episodes=2", "--novideo")
    assert code == 0, errors
    assert "2 episodes" in said
