"""Says in one screen what is installed, missing or mismatched, and what mends it.

`python -m hts_tf.doctor` exits with 0 when all is well and with 1 otherwise.  It reads metadata
instead of importing TensorFlow, and needs nothing but the standard library, so that it also works
where the set-up has not.

`--fix` runs the commands that mend what is wrong, and examines again.

With RAY_ADDRESS, or `--ray_address`, it asks the machines of that Ray cluster, too.
"""

import argparse
import contextlib
import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hts_tf import errors
from hts_tf.files import scope
from hts_tf.machines import ray_cluster
from hts_tf.machines.follower import Follower
from hts_tf.networks import native_ops
from hts_tf.system import command, installation, stop_signals
from hts_tf.system.memory import memory_available_bytes
from hts_tf.system.processors import usable_cores

try:
    from packaging.requirements import Requirement
except ImportError:  # an interpreter that hts_tf is not installed for
    Requirement = None

PACKAGE = Path(__file__).parent
FOOTBALL = PACKAGE / "environments/football"
SET_UP = PACKAGE.parent / ".venv/bin/python"  # the interpreter that launch/setup.sh sets up

# Extras whose absence is no problem for training.
OPTIONAL_EXTRAS = ("plot", "report", "video", "test", "gymnasium", "atari", "mujoco", "pettingzoo")
OPTIONAL_EXTRAS += ("cluster", "onnx", "sweep", "trackers", "docs")

# Of all processes of a run with 16 football environments, rounded up: 0.8 GiB for the trainer, more
# with 22 players, and 0.2 GiB for the executors.
RUN_BYTES = 2 * 2**30

# How long a machine of a cluster may take to say what it has: Ray starts a process there.
ANSWER_SEC = 120.0


class Finding(NamedTuple):
    """One line of the report; a problem has a command, or else advice.

    Attributes:
      name: of what was examined.
      detail: what was found.
      command: of the shell, that mends it.
      advice: what to do where no command mends it.
    """

    name: str
    detail: str
    command: str | None = None
    advice: str | None = None

    @property
    def is_problem(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.command or self.advice)


def examine() -> list[Finding]:
    """Examines everything, in the order in which it is shown."""
    return [
        python(),
        boost_python(),
        debian_packages(),
        gfootball(),
        *python_packages(),
        own_operations(),
        processor(),
        memory(),
        *cluster(),
    ]


# ---- What mends things --------------------------------------------------------------------------


def needs_set_up(name: str, detail: str) -> Finding:
    """Returns a problem that the set-up mends, which there is only in a checkout."""
    script = installation.set_up_script()
    if script is None:
        return Finding(name, detail, advice=installation.football_command())
    # It leaves alone what it has made, as far as it knows.
    is_its_own = Path(sys.prefix) == SET_UP.parents[1]
    return Finding(name, detail, f"{script} --force" if is_its_own else script)


def examine_again_command(commands: Iterable[str]) -> str:
    """Returns the command that examines what other ones have mended.

    That is another interpreter than this one where the set-up makes one.
    """
    script = installation.set_up_script()
    is_set_up = script and any(command.startswith(script) for command in commands)
    return shlex.join([str(SET_UP) if is_set_up else sys.executable, "-m", "hts_tf.doctor"])


def packages_command(names: str) -> str:
    """Returns the command that installs Debian packages, as this user has to write it."""
    as_root = "" if os.geteuid() == 0 else "sudo "
    install = f"apt-get install -y --no-install-recommends {names}"
    return f"{as_root}apt-get update && {as_root}{install}"


# ---- The system ---------------------------------------------------------------------------------


def python() -> Finding:
    """The interpreter: Boost.Python fits only the distribution's own."""
    detail = f"{sys.version.split()[0]}, {sys.executable}"
    if Path(sys.base_prefix) != Path("/usr"):
        detail += ": not the distribution's, which Boost.Python is for"
        return needs_set_up("Python", detail)
    return Finding("Python", detail)


def boost_python(usr: Path = Path("/usr")) -> Finding:
    """The Boost.Python library for this interpreter, which the engine is linked with."""
    name = f"libboost_python{sys.version_info.major}{sys.version_info.minor}.so"
    found = [path for path in usr.glob(f"lib/**/{name}") if path.exists()]
    if found:
        return Finding("Boost.Python", str(found[0].resolve()))
    command = packages_command("libboost-python-dev")
    return Finding("Boost.Python", f"{name} is missing", command)


def build_settings() -> dict[str, str]:
    """Returns what engine_build.env assigns: CXXFLAGS, DEBIAN_PACKAGES, ..."""
    text = (FOOTBALL / "engine_build.env").read_text()
    return dict(token.split("=", 1) for token in shlex.split(text, comments=True))


def debian_packages() -> Finding:
    """The Debian packages that building the engine needs."""
    wanted = build_settings()["DEBIAN_PACKAGES"].split()
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    try:
        lines = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
    except FileNotFoundError:
        detail = "not a Debian or Ubuntu system"
        return Finding("Debian packages", detail, advice="use Debian or Ubuntu")
    installed = {name for name, status in map(str.split, lines) if status == "installed"}
    missing = [package for package in wanted if package not in installed]
    if missing:
        names = " ".join(missing)
        return Finding("Debian packages", f"missing: {names}", packages_command(names))
    return Finding("Debian packages", f"all {len(wanted)} installed")


# ---- gfootball ----------------------------------------------------------------------------------


def gfootball() -> Finding:
    """The football engine: whether it loads, and the flags and patch that it was built with.

    It is loaded in a process of its own: one built for another processor kills its process.
    """
    command = [sys.executable, "-c", "import gfootball_engine"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        last_line = (result.stderr.strip() or f"killed by signal {-result.returncode}").split("\n")
        return needs_set_up("gfootball engine", last_line[-1])
    build = scope.engine_build()
    if not build:
        detail = "loads, but was not built by the set-up (the stock build is slower)"
        return needs_set_up("gfootball engine", detail)
    flags = build["cxxflags"]
    wanted = build_settings()["CXXFLAGS"]
    if flags != wanted:
        return needs_set_up("gfootball engine", f"built with {flags}, not {wanted}")
    if build.get("patch") != engine_patch_hash():
        detail = "built without the patch that is in hts_tf, or with another one"
        return needs_set_up("gfootball engine", detail)
    return Finding("gfootball engine", f"loads; patched; {flags}")


def engine_patch_hash() -> str:
    """Returns the SHA-256 of engine.patch."""
    return hashlib.sha256((FOOTBALL / "engine.patch").read_bytes()).hexdigest()


# ---- Python packages ----------------------------------------------------------------------------


def python_packages() -> Iterator[Finding]:
    """Yields each requirement of the installed hts_tf beside the version that is there."""
    try:
        requirements = metadata.requires("hts_tf") or []
    except metadata.PackageNotFoundError:
        requirements = None
    if Requirement is None or requirements is None:
        yield needs_set_up("Python packages", f"hts_tf is not installed for {sys.executable}")
        return
    # Several extras may want the same.
    yield from dict.fromkeys(
        found
        for text in requirements
        for requirement in _by_itself(Requirement(text))
        for found in compare(requirement)
    )


def _by_itself(requirement: "Requirement") -> Iterator["Requirement"]:
    """Yields a requirement of any version with extras as those that the extras stand for."""
    if requirement.specifier or not requirement.extras:
        yield requirement
        return
    try:
        inner = metadata.requires(requirement.name) or []
    except metadata.PackageNotFoundError:
        yield requirement
        return
    for text in inner:
        found = Requirement(text)
        if found.marker and any(
            found.marker.evaluate({"extra": extra}) > found.marker.evaluate({"extra": ""})
            for extra in requirement.extras
        ):
            found.marker = requirement.marker  # as optional as what asks for it
            yield found


def compare(requirement: "Requirement") -> Iterator[Finding]:
    """Yields whether a requirement is met; nothing for one meant for other systems."""
    marker = requirement.marker
    optional = marker is not None and not any(
        marker.evaluate({"extra": extra}) for extra in ("", "football")
    )
    if optional and not any(marker.evaluate({"extra": extra}) for extra in OPTIONAL_EXTRAS):
        return
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        if optional:
            yield Finding(requirement.name, f"not installed, optional ({requirement.specifier})")
            return
        problem = f"not installed ({requirement.specifier})"
    else:
        if requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, f"{version} ({requirement.specifier})")
            return
        problem = f"{version} is not {requirement.specifier}"
    if requirement.name == "gfootball":  # pip alone would build it without our flags
        yield needs_set_up(requirement.name, problem)
    else:
        wanted = f"{requirement.name}{requirement.specifier}"
        command = [sys.executable, "-m", "pip", "install", wanted]
        yield Finding(requirement.name, problem, shlex.join(command))


def own_operations() -> Finding:
    """The operations that are compiled for TensorFlow; training works without, but slower."""
    try:
        library = native_ops.path()
    except metadata.PackageNotFoundError:
        return needs_set_up("native_ops", "TensorFlow, which they are for, is missing")
    if library.exists():
        return Finding("native_ops", str(library))
    command = shlex.join([sys.executable, "-m", "hts_tf.networks.native_ops"])
    return Finding("native_ops", "not compiled: training works, but slower", command)


# ---- The machine --------------------------------------------------------------------------------


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """The processor, and those of its instruction sets that make a difference."""
    model, features = scope.processor(cpuinfo)
    return Finding("Processor", f"{model}, {usable_cores()} cores, {' '.join(features) or 'plain'}")


def memory() -> Finding:
    """The memory that may still be used, against what a run with the defaults takes.

    What processes share is anonymous memory and counts as any other: /dev/shm is not used.
    """
    available = memory_available_bytes()
    detail = (
        f"{available / 2**30:.1f} GiB available; a default run takes {RUN_BYTES / 2**30:.0f} GiB, "
        "nothing in /dev/shm"
    )
    if available >= RUN_BYTES:
        return Finding("Memory", detail)
    advice = "train with fewer environments: --gin_bindings='Trainer.num_envs = 4'"
    return Finding("Memory", detail, advice=advice)


# ---- Several machines ---------------------------------------------------------------------------


def cluster() -> Iterator[Finding]:
    """Yields whether several machines can make one run, and what differs between them."""
    version = scope.package_version("ray")
    address = os.environ.get("RAY_ADDRESS")
    if version == "not installed":
        command = installation.extra_command("cluster")
        if address:
            yield Finding("Cluster", "RAY_ADDRESS is set, but Ray is not installed", command)
        else:
            yield Finding("Cluster", f"Ray is not installed, optional: {command}")
        return
    if not address:
        detail = (
            f"Ray {version}; no RAY_ADDRESS, so --num_machines counts processes of this machine"
        )
        yield Finding("Cluster", detail)
        return
    try:
        with ray_cluster.connected(address, num_processes=1) as ray:
            yield from _machines(ray, address)
    except errors.ConfigError as error:
        yield Finding("Cluster", str(error), advice=_OF_A_CLUSTER)


_PROBE_SEC = 60.0
_OF_A_CLUSTER = (
    "start Ray there, with the same RAY_AUTH_MODE and token here; or unset RAY_ADDRESS, to use "
    "this machine alone"
)


def _is_open(address: str) -> bool | None:
    """Returns whether a cluster lets in who has no token; None if that cannot be told.

    With a token, one does not notice.
    """
    asking = [sys.executable, "-m", "ray.scripts.scripts", "health-check", f"--address={address}"]
    without = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    try:
        asked = subprocess.run(
            asking, env=without, capture_output=True, text=True, check=False, timeout=_PROBE_SEC
        )
    except subprocess.TimeoutExpired:
        return None
    if asked.returncode == 0:
        return True
    return False if "authenticat" in f"{asked.stdout}{asked.stderr}".lower() else None


def _machines(ray: Any, address: str) -> Iterator[Finding]:
    """Yields how many there are, and what training would say of them before it begins."""
    *others, _ = ray_cluster.nodes(ray)
    yield Finding("Cluster", f"Ray {ray.__version__} at {address}, machines: {len(others) + 1}")
    is_open = _is_open(ray.get_runtime_context().gcs_address)
    if is_open is None:
        yield Finding("Cluster's token", "whether one is wanted could not be tried")
    if is_open:
        yield Finding(
            "Cluster's token",
            "none: whoever reaches its ports can run what he likes on all machines",
            advice="set RAY_AUTH_MODE=token on all machines before Ray starts "
            "(see docs/cluster.md#security)",
        )
    names = {node["NodeID"]: f"Machine {node['NodeManagerAddress']}" for node in ray.nodes()}
    # As training does, but for the processor that a follower takes: others may be running.
    followers = [ray_cluster.hire(ray, Follower, node, num_cpus=0) for node in others]
    here = scope.describe()
    answers = [follower.scope.remote() for follower in followers]
    for node, answer in zip(others, answers, strict=True):
        try:
            there = ray.get(answer, timeout=ANSWER_SEC)
        except ray.exceptions.RayError as error:
            detail = f"does not answer ({errors.in_a_line(error)})"
            advice = "set hts_tf up there as it is here, and restart Ray"
            yield Finding(names[node], detail, advice=advice)
            continue
        yield from _differences(names[node], here, there)


def _differences(name: str, here: dict[str, str], there: dict[str, str]) -> Iterator[Finding]:
    found = scope.differences(here, there)
    if not found:
        yield Finding(name, "the same as this one in all that bits may depend on")
    for what, ours, theirs in found:
        if what in scope.OF_SOFTWARE:
            advice = "install the same on all machines; training refuses these"
        else:
            advice = "use machines of one kind; training ends where these compute other bits"
        yield Finding(name, f"{what} {theirs}, this one {ours}", advice=advice)


# ---- The report ---------------------------------------------------------------------------------


def report(findings: list[Finding]) -> str:
    """Returns the findings as a table, and below it what to do about the problems."""
    width = max(len(finding.name) for finding in findings)
    lines = [
        f"{'PROBLEM' if finding.is_problem else 'ok     '}  {finding.name:<{width}}  "
        f"{finding.detail}"
        for finding in findings
    ]
    commands = mending(findings)
    if commands:
        lines += ["", "To mend it, run:"]
        lines += [f"  {line}" for line in (*commands, examine_again_command(commands))]
    advice = dict.fromkeys(f"  {f.name}: {f.advice}" for f in findings if f.advice)
    if advice:
        lines += ["", "What no command mends:", *advice]
    return "\n".join(lines if commands or advice else [*lines, "", "All is well."])


def mending(findings: list[Finding]) -> list[str]:
    """Returns the commands that mend problems, each once."""
    return [*dict.fromkeys(finding.command for finding in findings if finding.command)]


def diagnose(is_to_fix: bool = False) -> int:
    """Prints the report; returns the exit status.

    Args:
      is_to_fix: whether to run the commands that mend problems, where there are any. Then it does
        not return: another doctor takes this process's place.

    Raises:
      RunError: one of the commands failed.
    """
    findings = examine()
    print(report(findings), flush=True)
    commands = mending(findings)
    if is_to_fix and commands:
        _mend(commands)
    return int(any(finding.is_problem for finding in findings))


def _mend(commands: list[str]) -> NoReturn:
    """Runs commands in the terminal that there is, and then the doctor that comes after them.

    That one begins anew: what this interpreter has imported may be another version by then.
    """
    for line in commands:
        print(f"\n$ {line}", flush=True)
        if code := _run(line):
            raise errors.RunError(f"{line}: exit code {code}; what comes after it was not run")
    again = examine_again_command(commands)
    print(f"\n$ {again}", flush=True)
    python, *arguments = shlex.split(again)
    os.execv(python, [python, *arguments])


def _run(line: str) -> int:
    """Runs a line of the shell, and returns its exit code."""
    process = None
    try:
        with stop_signals.held():  # else one that has begun may be known to nobody
            process = subprocess.Popen(line, shell=True)
        return process.wait()
    except BaseException:  # a signal's, which the line may not have got
        if process is not None:
            with contextlib.suppress(PermissionError):  # of sudo, which ends by the terminal's
                process.terminate()
            process.wait()
        raise


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        "hts_tf.doctor",
        usage=argparse.SUPPRESS,
        description="Says what is installed, missing or mismatched, and what mends it. Ends with "
        "0 when all is well, and with 1 otherwise.",
    )
    parser.add_argument("--ray_address", help="of a cluster to be asked; default: RAY_ADDRESS")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="run the commands that mend what is wrong, one after the other, up to the first that "
        "fails, and examine again; what no command mends is left to you",
    )
    arguments = parser.parse_args()
    if arguments.ray_address:
        os.environ["RAY_ADDRESS"] = arguments.ray_address
    command.end(lambda: diagnose(arguments.fix))


if __name__ == "__main__":
    main()
