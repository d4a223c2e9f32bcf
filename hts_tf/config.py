"""Configuration: finding and loading gin files, and comparing a run's bindings with a workdir's."""

import re
from collections.abc import Sequence
from pathlib import Path

import gin
from absl import logging

from hts_tf import errors
from hts_tf.environments import base, synthetic  # noqa: F401  gin configurables
from hts_tf.environments.football import football, scenarios  # noqa: F401

# Bindings that never change a result: they may differ when a run is resumed.
FREE_BINDINGS = frozenset(
    f"Trainer.{name}"
    for name in (
        "num_executors",
        "num_actors",
        "actor_batch_size",
        "checkpoint_every_sec",
        "checkpoint_every_updates",
        "keep_checkpoints",
        "fingerprints",
        "crash_limit",
        "step_timeout_sec",
        "archive_episodes",
    )
)


def gin_directory() -> Path:
    """Returns the directory of the gin files: inside an installed package, beside a checkout."""
    package = Path(__file__).parent
    installed = package / "gin_configs"
    return installed if installed.is_dir() else package.parent / "gin_configs"


def names(kind: str) -> list[str]:
    """Returns the names of the gin files of a kind: 'methods' or 'scenarios'."""
    return sorted(path.stem for path in (gin_directory() / kind).glob("*.gin"))


def check_names(scenario: str, method: str) -> None:
    """Raises: ConfigError: one of them is unknown; see `load`."""
    if method not in names("methods"):
        raise errors.ConfigError(
            f"unknown method {method!r}; {errors.nearest(method, names('methods'))}"
        )
    known = {*names("scenarios"), *scenarios.names()}
    if scenario not in known:
        raise errors.ConfigError(
            f"unknown scenario {scenario!r}; {errors.nearest(scenario, known)}"
        )


def load(
    scenario: str, method: str, gin_files: Sequence[str] = (), gin_bindings: Sequence[str] = ()
) -> None:
    """Loads a configuration into gin: method, then scenario, then the user's files and bindings.

    The configurables that the files bind must have been imported; the environments are, here.

    Args:
      scenario: a file of `gin_configs/scenarios`, or any scenario of gfootball.
      method: a file of `gin_configs/methods`.
      gin_files: paths of further files.
      gin_bindings: further bindings, the last word.

    Raises:
      ConfigError: something is unknown or misspelt.
    """
    check_names(scenario, method)
    bindings = list(gin_bindings)
    if scenario in names("scenarios"):
        scenario_file = f"scenarios/{scenario}.gin"
    else:
        scenario_file = "football.gin"
        bindings.insert(0, f"Football.scenario = {scenario!r}")
    for path in gin_files:
        if not Path(path).is_file():
            raise errors.ConfigError(f"there is no gin file {path!r}")
    gin.clear_config()
    gin.add_config_file_search_path(str(gin_directory()))
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)  # gin reports every place where a file is not
    try:
        gin.parse_config_files_and_bindings(
            [f"methods/{method}.gin", scenario_file, *gin_files], bindings
        )
    except (ValueError, SyntaxError, OSError) as error:
        raise errors.ConfigError(" ".join(str(error).split())) from error
    finally:
        logging.set_verbosity(verbosity)


def load_text(text: str) -> None:
    """Loads a configuration that `operative` returned."""
    gin.clear_config()
    gin.parse_config(text)


def environment() -> base.EnvironmentConfig:
    """Returns the environment that the loaded configuration trains on."""
    return gin.get_bindings("Trainer")["environment"]


def environment_in(text: str) -> base.EnvironmentConfig:
    """Returns the environment in a configuration that `operative` returned.

    The rest of it is passed over, so that those who only play need no TensorFlow.

    Raises:
      ConfigError: the environment's module cannot be imported.
    """
    gin.clear_config()
    try:
        gin.parse_config(text, skip_unknown=True)
        gin.parse_config(f"environment = {bindings(text)['Trainer.environment']}")  # a macro
        return gin.get_bindings("environment/gin.macro")["value"]
    except ValueError as error:
        raise errors.ConfigError(" ".join(str(error).split())) from error


def total_env_steps_in(text: str) -> int:
    """Returns the env steps of a run, in a configuration that `operative` returned."""
    bound = bindings(text)
    value = bound["Trainer.total_env_steps"]
    while value.startswith("%"):  # a macro
        value = bound[value[1:]]
    return int(value)


def operative(seed: int) -> str:
    """Returns gin's operative configuration: every binding that was used, one a line."""
    config = gin.operative_config_str(max_line_length=10_000)
    without_rules = re.sub(r"^# =+\n", "", config, flags=re.MULTILINE)
    return f"# --seed = {seed}\n{without_rules}"


def bindings(config: str) -> dict[str, str]:
    """Returns binding -> value of an operative configuration, the seed among them."""
    return dict(re.findall(r"^(?:# )?([\w./-]+) = (.*)$", config, re.MULTILINE))


def differences(old: str, new: str, places: tuple[str, str] = ("there", "now")) -> list[str]:
    """Returns what differs between two operative configurations and changes results.

    Args:
      old: the one.
      new: the other.
      places: how to call where the two are from.
    """
    old_bindings, new_bindings = bindings(old), bindings(new)
    return [
        f"{name} = {old_bindings.get(name, 'unset')} {places[0]}, "
        f"{new_bindings.get(name, 'unset')} {places[1]}"
        for name in sorted({*old_bindings, *new_bindings} - FREE_BINDINGS)
        if old_bindings.get(name) != new_bindings.get(name)
    ]
