"""Which task episodes are of, while training goes on."""
