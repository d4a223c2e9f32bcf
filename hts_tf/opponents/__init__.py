"""Opponents: who plays the players that the learner does not."""
