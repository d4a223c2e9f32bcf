"""Processes, memory and threads: nothing here knows of reinforcement learning."""
