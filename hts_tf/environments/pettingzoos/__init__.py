"""Environments of PettingZoo: several agents, who act at the same time."""
