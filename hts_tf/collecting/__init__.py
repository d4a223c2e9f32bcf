"""Executors and actors, and what lies between them: they fill the storages."""
