"""Models: trained policies that come with the package, by name.

A model is a small workdir: a run's configuration, the parameters of one policy as its only
checkpoint, and the episodes of its evaluation. `hts_tf.publish` makes them.
"""

from pathlib import Path

from hts_tf import errors
from hts_tf.system import installation


def directory() -> Path:
    """Returns the directory of the models."""
    return installation.shipped("models")


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
