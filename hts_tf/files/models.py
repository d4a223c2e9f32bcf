"""Models: trained policies that come with the package, by name.

A model is a small workdir: a run's configuration, the parameters of one policy as its only
checkpoint, and the episodes of its evaluation. `hts_tf.publish` makes them.
"""

from pathlib import Path

from hts_tf import errors


def directory() -> Path:
    """Returns the directory of the models: inside an installed package, beside a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def names() -> list[str]:
    """Returns the names of those that there are."""
    return sorted(path.parent.name for path in directory().glob("*/config.gin"))


def find(name: str) -> Path:
    """Returns a model's workdir. Raises: ConfigError: there is none of that name."""
    if name not in names():
        raise errors.ConfigError(
            f"unknown model {name!r}; {errors.nearest(name, names())}", page="models.md"
        )
    return directory() / name
