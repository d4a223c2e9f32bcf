"""How methods look, the same in every picture."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from hts_tf.watching.picture import plt

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
GREY, SLATE, LIGHT_SLATE, LIGHT_GREY = "#999999", "#44546A", "#A3B1C6", "#DDDDDD"


class Look(NamedTuple):
    """Of one method: its name for people, and what its lines look like."""

    label: str
    color: str
    line: Any  # matplotlib's line style
    marker: str


LOOKS = {
    "hts_ppo": Look("HTS-RL (PPO)", BLUE, "-", "o"),
    "ppo": Look("PPO", VERMILLION, (0, (5, 1.5)), "s"),
    "impala": Look("IMPALA", GREEN, (0, (5, 1.5, 1, 1.5)), "^"),
    "hts_ppo_fast": Look("HTS-RL (PPO, fast)", PURPLE, (0, (8, 1)), "P"),
    "hts_a2c": Look("HTS-RL (A2C)", SKY, (0, (1, 1)), "D"),
    "a2c": Look("A2C", ORANGE, (0, (3, 1, 1, 1, 1, 1)), "v"),
}
_SPARE_COLORS = (BLACK, GREY, YELLOW, SLATE)
_SPARE_LINES = ((0, (7, 2, 1, 2, 1, 2)), (0, (2, 2)), (0, (7, 2, 2, 2)))
_SPARE_MARKERS = ("X", "*", "h")
_others: dict[str, int] = {}  # methods that are not known, numbered as they came

SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "figure.constrained_layout.use": True,
}


def use(methods: Iterable[str] = ()) -> None:
    """Makes all pictures that follow look alike, in whatever order they show these methods."""
    plt.style.use("default")
    plt.rcParams.update(SETTINGS)
    _others.clear()
    for method in order(methods):
        look(method)


def order(methods: Iterable[str]) -> list[str]:
    """Returns methods once each, in the order in which they are always shown."""
    known = list(LOOKS)
    return sorted(set(methods), key=lambda m: (known.index(m) if m in known else len(known), m))


def look(method: str) -> Look:
    """Returns how a method looks, also one that is not among the project's own."""
    if method in LOOKS:
        return LOOKS[method]
    number, other = divmod(_others.setdefault(method, len(_others)), len(_SPARE_COLORS))
    kind = number % len(_SPARE_LINES)
    return Look(method, _SPARE_COLORS[other], _SPARE_LINES[kind], _SPARE_MARKERS[kind])


def title(scenario: str) -> str:
    """Returns a scenario's name as short as a picture needs it."""
    return scenario.removeprefix("academy_").replace("_", " ")
