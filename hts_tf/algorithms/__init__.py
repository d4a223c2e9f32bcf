"""One file per algorithm: its hyperparameters and its update."""
