"""Atari games as agents are mostly shown them."""

WRAPPERS = (
    "AtariPreprocessing",
    "FireReset",
    "SignReward",
    ("FrameStackObservation", {"stack_size": 4}),
)
