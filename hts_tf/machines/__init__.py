"""Several machines, or processes of one, that make one run; on Ray (Core)."""
