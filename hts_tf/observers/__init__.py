"""Who is told what becomes of a run."""
