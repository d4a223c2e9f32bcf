"""Any environment of Gymnasium (https://gymnasium.farama.org)."""
