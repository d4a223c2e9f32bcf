"""The scope in which a run is reproducible to the bit: all that its bits may depend on, in words.

Standard library only, so that `hts_tf.doctor` can use it where nothing is installed.
"""

import functools
import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import hts_tf
from hts_tf.environments.football import scenarios as football_scenarios

PACKAGES = ("numpy", "tensorflow", "keras", "tensorflow-probability", "gfootball")

# What has to be the same where machines make one run together.
OF_SOFTWARE = ("hts_tf", "python", *PACKAGES, "gfootball engine", "C library")

# Of environments of Gymnasium and PettingZoo: module -> package.
SIMULATORS = {
    "gymnasium": "gymnasium",
    "ale_py": "ale-py",
    "mujoco": "mujoco",
    "Box2D": "box2d",
    "cv2": "opencv-python",
    "pettingzoo": "pettingzoo",
    "mpe2": "mpe2",
}

# Instruction sets for which TensorFlow or the engine has code of its own, as /proc/cpuinfo calls
# them.
PROCESSOR_FEATURES = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("avx_vnni", "amx_tile", "amx_bf16", "amx_int8", "asimd", "sve", "bf16"),
)

# By their names' beginnings: settings of the libraries that compute. Not all of TF_, which may be
# Terraform's, and secret.
ENVIRONMENT_VARIABLES = (
    *("TF_ENABLE_", "TF_DISABLE_", "TF_SET_", "TF_XLA_", "TF_CUDNN_", "TF_USE_", "XLA_"),
    *("ONEDNN_", "DNNL_", "OMP_", "NPY_", "GLIBC_TUNABLES", "NVIDIA_TF32_OVERRIDE"),
)
_ONLY_TALK = ("ONEDNN_VERBOSE", "DNNL_VERBOSE")

# In a checkpoint: the scope that it was written in, and others of its run before.
NEWEST, EARLIER = "run/scope", "run/earlier_scopes"

_PACKAGE = Path(hts_tf.__file__).parent


def describe() -> dict[str, str]:
    """Returns name -> description of what the bits may depend on, apart from the configuration.

    How TensorFlow is set up is for those to add who know (`compute.describe`).
    """
    model, features = processor()
    return {
        "hts_tf": f"{hts_tf.__version__} (source {source_hash()})",
        "commit": commit() or "unknown",
        "python": platform.python_version(),
        **{name: package_version(name) for name in PACKAGES},
        "gfootball engine": engine(),
        "C library": " ".join(platform.libc_ver()),
        "processor": f"{model} ({' '.join(features) or 'plain'})",
        "environment variables": environment_variables(os.environ) or "none that matter",
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Returns (name, before, now) of what differs and may change bits.

    A commit by itself does not: the hash of the source says whether the code differs.
    """
    return [
        (name, before.get(name, "unknown"), now.get(name, "unknown"))
        for name in dict.fromkeys([*before, *now])
        if name != "commit" and before.get(name) != now.get(name)
    ]


def of_run(state: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns the scopes that a run was made in, the last one last; [] if its state tells none."""
    if NEWEST not in state:
        return []
    earlier = json.loads(state[EARLIER].item()) if EARLIER in state else []
    return [*earlier, json.loads(state[NEWEST].item())]


def remembered(scopes: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Returns what `of_run` takes, as texts."""
    *earlier, newest = scopes
    return {NEWEST: json.dumps(newest), EARLIER: json.dumps(earlier)}


def line(scope: Mapping[str, str]) -> str:
    """Returns the whole scope on one line."""
    parts = (f"{name} {value}" for name, value in scope.items())
    return f"reproducible to the bit with: {'; '.join(parts)}"


def source_hash() -> str:
    """Returns a hash of the package's code, in whatever checkout or installation it lies."""
    digest = hashlib.sha256()
    for path in sorted(p for p in _PACKAGE.rglob("*") if p.suffix in (".py", ".cc")):
        name = path.relative_to(_PACKAGE)
        if not _is_hidden(name):
            digest.update(str(name).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _is_hidden(path: Path) -> bool:
    """Returns whether a path within a package is an editor's, such as a lock of Emacs."""
    return any(part.startswith(".") for part in path.parts)


def modules(names: Iterable[str]) -> dict[str, str]:
    """Returns hashes of imported modules that a run's configuration has brought, by name.

    Of a package all modules count, as far as they are Python's.
    """
    found = ((name, getattr(sys.modules.get(name), "__file__", None)) for name in names)
    return {f"module {name}": _hash_of_module(Path(file)) for name, file in found if file}


def scenarios(names: Iterable[str]) -> dict[str, str]:
    """Returns hashes of the programs that football's scenarios are, some of which users write."""
    folder = football_scenarios.folder()
    if folder is None:
        return {}
    files = {name: folder / f"{name}.py" for name in names}
    return {
        f"scenario {name}": hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for name, file in files.items()
        if file.is_file()
    }


def simulators() -> dict[str, str]:
    """Returns the versions of what environments of others in this process consist of."""
    if "gymnasium" not in sys.modules:  # others of them football loads, but does not use
        return {}
    found = (package for module, package in SIMULATORS.items() if module in sys.modules)
    return {package: package_version(package) for package in found}


def commit(checkout: Path = _PACKAGE.parent) -> str | None:
    """Returns the commit of a git checkout, marked if files differ from it; None elsewhere."""
    if not (checkout / ".git").exists():  # do not take a repository around it for ours
        return None
    # `status` would lock the index, in the way of whoever commits.
    git = ["git", "--no-optional-locks", "-C", str(checkout)]
    try:
        head, changes = (
            subprocess.run(
                [*git, *command], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for command in (
                ["rev-parse", "--short=12", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no"],
            )
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head} with changes" if changes else head


def package_version(name: str) -> str:
    """Returns the version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def engine() -> str:
    """Returns a hash of the football engine's machine code, and the flags it was built with."""
    spec = importlib.util.find_spec("gfootball_engine")  # without loading it
    directories = spec.submodule_search_locations if spec else None
    libraries = [path for d in directories or () for path in sorted(Path(d).glob("*.so"))]
    if not libraries:
        return "not installed"
    code = _hash_of_files(tuple(libraries))
    flags = engine_build().get("cxxflags", "flags not recorded")
    return f"{code} ({flags})"


def _hash_of_module(file: Path) -> str:
    if file.name != "__init__.py":
        return _hash_of_files((file,))
    found = (path.relative_to(file.parent) for path in sorted(file.parent.rglob("*.py")))
    seen = (path for path in found if not _is_hidden(path))
    return _hash_of_files(tuple(file.parent / path for path in seen))


@functools.cache
def _hash_of_files(paths: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]


def engine_build() -> dict[str, str]:
    """Returns what the set-up recorded of the engine's build; nothing if it did not build it."""
    record = Path(sys.prefix) / "gfootball-build.json"
    return json.loads(record.read_text()) if record.exists() else {}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, list[str]]:
    """Returns the first core's model and which of `PROCESSOR_FEATURES` it has."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    rows = [line.split(":", 1) for line in lines if ":" in line]
    first = {key.strip(): value.strip() for key, value in reversed(rows)}
    flags = first.get("flags", first.get("Features", "")).split()
    model = first.get("model name", sysconfig.get_platform())
    return model, [feature for feature in PROCESSOR_FEATURES if feature in flags]


def environment_variables(environment: Mapping[str, str]) -> str:
    """Returns those settings, as NAME=VALUE, that the libraries which compute listen to."""
    return " ".join(
        f"{name}={value}"
        for name, value in sorted(environment.items())
        if value and name.startswith(ENVIRONMENT_VARIABLES) and not name.startswith(_ONLY_TALK)
    )
