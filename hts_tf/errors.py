"""Errors that are answered by changing the configuration, not the code."""


class ConfigError(ValueError):
    """A setting cannot be used; the message is one line and names the binding or flag to change."""
