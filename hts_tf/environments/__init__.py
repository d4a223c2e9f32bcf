"""Environments that executors step, one file per family."""
