"""Who waits for whom: one file per schedule, and how long they should take."""
