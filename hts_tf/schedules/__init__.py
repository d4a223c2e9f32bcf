"""Who waits for whom: one file per schedule."""
