"""Runs a Python program, the first argument, on those after it: as `python -c` does."""

import sys

if __name__ == "__main__":
    program = sys.argv.pop(1)
    sys.argv[0] = "-c"
    exec(program, {"__name__": "__main__"})
