import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hts_tf

PACKAGE = Path(hts_tf.__file__).parent

ROLES = ("executor", "actor", "learner")


def imports(path):
    """The modules of the package that a source file imports anywhere, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "hts_tf"}


def all_imports(module):
    """The modules of the package that importing this one loads."""
    loaded, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        path = PACKAGE.parent / Path(*name.split(".")).with_suffix(".py")
        if name not in loaded and path.is_file():
            loaded.add(name)
            waiting += imports(path)
    return loaded - {module}


def test_an_executor_loads_no_tensorflow():
    script = (
        "import sys\n"
        "import hts_tf.executor, hts_tf.environments.football, hts_tf.environments.synthetic\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "numpy" in loaded
    heavy = {"tensorflow", "keras", "tensorflow_probability", "tf_keras", "tensorboard"}
    assert loaded & heavy == set()


@pytest.mark.parametrize("role", ROLES)
def test_roles_do_not_import_each_other(role):
    others = {f"hts_tf.{other}" for other in ROLES if other != role}
    assert all_imports(f"hts_tf.{role}") & others == set()


def test_the_check_sees_imports():
    assert {"hts_tf.executor", "hts_tf.actor"} <= all_imports("hts_tf.collector")
    assert "hts_tf.shared_memory" in all_imports("hts_tf.executor")


# Lower layers never import from higher ones.
LAYERS = [
    {"errors", "specs", "seeding", "shared_memory", "memory", "returns", "losses"},
    {"buffers", "data_storage", "ledger", "networks", "policy", "algorithms", "environments"},
    {"executor", "actor", "learner", "checkpoint", "metrics", "config"},
    {"executor_pool"},
    {"collector"},
    {"unroll_collector"},
    {"schedules"},
    {"trainer"},
    {"train"},
]


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_imports_go_down(layer):
    above = set().union(*LAYERS[layer + 1 :])
    for module in sorted(LAYERS[layer]):
        paths = [PACKAGE / f"{module}.py", *(PACKAGE / module).glob("*.py")]
        for path in filter(Path.is_file, paths):
            imported = {name.split(".")[1] for name in imports(path) if "." in name}
            assert imported & above == set(), path.name


def test_the_package_itself_imports_nothing():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))


def test_an_executor_without_its_parent_ends_at_once():
    result = subprocess.run(
        [sys.executable, "-m", "hts_tf.executor", "1"], stdin=subprocess.DEVNULL, check=False
    )
    assert result.returncode == 1
