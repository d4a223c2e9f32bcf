"""The examples in launch/cluster: that they are well formed, and what is called in them exists."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="the extra 'cluster' is not installed")
ray = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
yaml = pytest.importorskip("yaml", reason="the extra 'cluster' is not installed")

ROOT = Path(__file__).parents[1]
FILES = ROOT / "launch/cluster"
PAGE = (ROOT / "docs/cluster.md").read_text()
NAMES = ["ray_up.yaml", "slurm.sh", "kuberay.yaml"]
IMAGE = "../Dockerfile"


def read(name):
    """A file's text, with every command on one line."""
    return re.sub(r"\\\n#? *", " ", (FILES / name).read_text())


def documents(name):
    return list(yaml.safe_load_all((FILES / name).read_text()))


def ray_up():
    [document] = documents("ray_up.yaml")
    return document


def test_each_file_is_explained():
    assert {path.name for path in FILES.iterdir()} == {*NAMES}
    for name in NAMES:
        assert f"`launch/cluster/{name}`" in PAGE


# ---- What is called -----------------------------------------------------------------------------


def texts():
    """All texts with commands, each of these on one line."""
    up = ray_up()
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    entrypoints = [document["spec"].get("entrypoint", "") for document in documents("kuberay.yaml")]
    starts = [*up["head_start_ray_commands"], *up["worker_start_ray_commands"]]
    return [*map(read, [*NAMES, IMAGE]), *blocks, *entrypoints, *starts]


def flags(command):
    """Those of a command's words that are flags, up to the end of the command, a pipe or a --."""
    words = shlex.split(command, comments=True)
    ends = [words.index(end) for end in ("--", ";", "|", "&&") if end in words]
    found = words[: min(ends, default=len(words))]
    return {word.partition("=")[0] for word in found if re.match(r"--?[a-z]", word)}


def calls(pattern):
    """(the pattern's group, what follows it on the line) of each call in all texts."""
    return [found for text in texts() for found in re.findall(rf"{pattern}(?= |$)(.*)", text, re.M)]


def test_flags_of_ray_exist():
    from ray.scripts import scripts

    known = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in scripts.cli.commands.items()
    }
    found = calls(r"(?:^|[/ ])ray (up|down|attach|start|stop|symmetric-run|get-auth-token)")
    assert {name for name, _ in found} == {"up", "down", "attach", "start", "stop"} | {
        "symmetric-run",
        "get-auth-token",
    }
    for name, rest in found:
        # What ray symmetric-run does not know, it hands on.
        allowed = known[name] | (known["start"] if name == "symmetric-run" else set())
        assert flags(rest) <= allowed, (name, rest)


def test_flags_of_ours_exist():
    known = set(
        re.findall(r'flags\.DEFINE_\w+\(\s*"(\w+)"', (ROOT / "hts_tf/train.py").read_text())
    )
    found = calls(r"(launch/cluster\.sh|-m hts_tf\.train)")
    assert len(found) >= 5
    for _, rest in found:
        assert {flag.removeprefix("--") for flag in flags(rest)} <= known, rest


def test_the_set_up_knows_the_extras(tmp_path):
    (extras,) = {name for _, name in re.findall(r"(setup\.sh) --extras=(\w+)", "".join(texts()))}
    assert f'"{extras}": ["ray' in (ROOT / "setup.py").read_text()


def test_versions_of_ray_are_those_of_the_extra():
    [wanted] = re.findall(r'"cluster": \["ray(.*?)"\]', (ROOT / "setup.py").read_text())
    for name in ("ray_up.yaml", IMAGE):
        assert re.findall(r"ray\[default\]([^\"]*)", read(name))[-1] == wanted
    low, high = re.findall(r"\d+\.\d+", wanted)
    assert low <= documents("kuberay.yaml")[1]["spec"]["rayClusterSpec"]["rayVersion"] < high


# ---- File by file -------------------------------------------------------------------------------


def test_ray_up_is_what_ray_takes():
    schema = Path(ray.__file__).with_name("autoscaler") / "ray-schema.json"
    jsonschema.validate(ray_up(), json.loads(schema.read_text()))
    types = ray_up()["available_node_types"]
    assert types["first"]["node_config"] == types["other"]["node_config"], "of one kind"
    assert types["other"]["min_workers"] == types["other"]["max_workers"] == ray_up()["max_workers"]


def test_ray_up_has_a_token_on_all_machines():
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        [start] = [command for command in ray_up()[commands] if "ray start" in command]
        assert "RAY_AUTH_MODE=token" in start
    assert ray_up()["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"


def test_kuberay():
    volume, job = documents("kuberay.yaml")
    spec = job["spec"]["rayClusterSpec"]
    assert spec["authOptions"] == {"mode": "token"}
    first, [others] = spec["headGroupSpec"], spec["workerGroupSpecs"]
    pods = [group["template"]["spec"] for group in (first, others)]
    containers = [container for pod in pods for container in pod["containers"]]
    for what in ("image", "resources"):
        assert containers[0][what] == containers[1][what]
    assert pods[0]["nodeSelector"] == pods[1]["nodeSelector"]
    assert pods[0]["volumes"][0]["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]

    words = job["spec"]["entrypoint"].split()
    assert f"--num_machines={others['replicas'] + 1}" in words
    mount = containers[0]["volumeMounts"][0]["mountPath"]
    assert any(word.startswith(f"--workdir={mount}/") for word in words)
    [file] = [word for word in words if word.startswith("--gin_files=/hts_tf/")]
    assert (ROOT / file.removeprefix("--gin_files=/hts_tf/")).is_file()


def test_the_image_has_what_the_set_up_reads():
    sources = re.findall(r"^COPY (.*) \S+$", read(IMAGE), re.M)
    assert all((ROOT / source).exists() for line in sources for source in line.split())
    assert {*" ".join(sources).split()} >= {"setup.py", "hts_tf", "launch", "gin_configs"}


# Stand-ins for the commands of Slurm and Ray; the node has an address of each kind.
STAND_INS = {
    "scontrol": "printf 'n7\\nn9\\n'",
    "srun": """
case "$*" in
  *hostname*) echo "$*" >&2; echo "${*: -1}" | sed "$ADDRESSES" ;;
  *) stat -c %a "$RAY_AUTH_TOKEN_PATH"; wc -c <"$RAY_AUTH_TOKEN_PATH"; echo "$RAY_AUTH_MODE"
     while [[ $1 == -* ]]; do shift; done
     "$@" ;;
esac
""",
    "ray": """printf '%s\\n' "$@"; exit 3""",
}


@pytest.mark.parametrize(
    ("own", "others"),
    [("fd00::7 10.0.0.7", ""), ("127.0.1.1", "10.0.0.7 fd00::7"), ("127.0.1.1", "fe80::1%eth0")],
)
def test_slurm(tmp_path, own, others):
    for name, text in STAND_INS.items():
        path = tmp_path / ".venv/bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    environment = {
        **os.environ,
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_NODELIST": "n[7,9]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "16",
        "ADDRESSES": f"s/--ip-address/{own}/; s/--all-ip-addresses/{others}/",
    }
    command = [FILES / "slurm.sh", "academy_corner", "--gin_bindings=PPO.clip = 0.1"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if "10.0.0.7" not in own + others:
        assert result.returncode == 1
        assert result.stderr.splitlines()[-1].startswith("error: n7 has no IPv4 address")
        return
    assert result.returncode == 3, "the training's"
    assert "--nodelist=n7" in result.stderr
    mode, size, auth, *call = result.stdout.splitlines()
    assert (mode, int(size) > 32, auth) == ("600", True, "token")
    assert call == [
        *("symmetric-run", "--address=10.0.0.7:6379", "--min-nodes=2", "--num-cpus=16", "--"),
        *("./launch/cluster.sh", "academy_corner", "--gin_bindings=PPO.clip = 0.1"),
        *("--ray_address=10.0.0.7:6379", "--num_machines=2"),
    ]
    assert not list(tmp_path.glob(".ray_token*")), "the token is gone"


def test_slurm_outside_of_a_job():
    environment = {name: x for name, x in os.environ.items() if not name.startswith("SLURM_")}
    result = subprocess.run([FILES / "slurm.sh"], env=environment, capture_output=True, text=True)
    assert result.returncode != 0
    assert "to be run by sbatch" in result.stderr


def test_slurm_directives_come_before_all_commands():
    lines = read("slurm.sh").splitlines()
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(n < first for n, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert "#SBATCH --exclusive" in lines
