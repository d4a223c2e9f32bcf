"""Hashes of what gfootball's engine plays, through gfootball's own environment.

It needs nothing but gfootball, so that it also runs where the stock build is installed:

    python tests/environments/football/football_trajectories.py \\
        >tests/environments/football/stock_trajectories.csv

The recorded hashes are the stock build's; test_football_engine.py compares ours with them.
"""

import csv
import hashlib
import os
import random
import sys
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

COLUMNS = ("scenario", "reverse_team_processing", "seed", "steps", "sha256")

# Actions of the action set "v2".
_RIGHT, _SHOT, _SPRINT, _BUILTIN_AI = 5, 12, 13, 19

# Enough for a score, for throw-ins and the like where they do not end the episode, and for both
# line-ups of 11_vs_11, which swap with every episode.
_SCENARIOS = (
    "academy_empty_goal_close",
    "academy_empty_goal",
    "academy_run_to_score",
    "academy_run_to_score_with_keeper",
    "academy_pass_and_shoot_with_keeper",
    "academy_run_pass_and_shoot_with_keeper",
    "academy_3_vs_1_with_keeper",
    "academy_corner",
    "academy_counterattack_easy",
    "academy_counterattack_hard",
    "academy_single_goal_versus_lazy",
    "11_vs_11_easy_stochastic",
    "11_vs_11_stochastic",
    "11_vs_11_hard_stochastic",
    "5_vs_5",
)


def actions(seed: int) -> Iterator[int]:
    """Endless actions: at random, towards the goal, or mostly those of gfootball's own player."""
    rng = random.Random(seed)  # the same in all versions of Python
    weights = [1.0] * 20
    if seed % 3 == 1:
        weights[_RIGHT], weights[_SHOT], weights[_SPRINT] = 20.0, 3.0, 6.0
    elif seed % 3 == 2:
        weights[_BUILTIN_AI] = 100.0
    while True:
        action = rng.choices(range(20), weights)[0]
        for _ in range(1 + int(rng.random() * 4)):
            yield action


def _digest(digest: "hashlib._Hash", *values: object) -> None:
    for value in values:
        if isinstance(value, dict):
            for key in sorted(value):
                digest.update(key.encode())
                _digest(digest, value[key])
        else:
            array = np.asarray(value)
            digest.update(f"{array.dtype.kind}{array.shape}".encode() + array.tobytes())


def trajectory_hash(scenario: str, reverse: bool, seed: int, steps: int) -> str:
    """Plays full episodes, one after another, for a number of steps.

    Args:
      scenario: its name.
      reverse: whether the right team is processed first.
      seed: of the first episode; each further one has the next.
      steps: how many.

    Returns:
      The SHA-256 of all raw observations (positions, directions, rotations, ...), rewards and
      ends of episodes.
    """
    from gfootball.env import config, football_env

    values = {"level": scenario, "action_set": "v2", "players": ["agent:left_players=1"]}
    values |= {"dump_full_episodes": False, "dump_scores": False}
    settings = config.Config(values)
    settings["game_engine_random_seed"] = seed
    settings["reverse_team_processing"] = reverse
    settings["episode_number"] = 0
    env = football_env.FootballEnv(settings)
    digest = hashlib.sha256()
    done = True
    for _ in range(steps):
        if done:
            settings["game_engine_random_seed"] = seed
            player = actions(seed)
            seed += 1
            _digest(digest, *env.reset())
        observations, reward, done, _ = env.step(next(player))
        _digest(digest, *observations, reward, done)
    env.close()
    return digest.hexdigest()


def c_library() -> str:
    """Returns the C library, on which floating-point results depend besides the engine."""
    return os.confstr("CS_GNU_LIBC_VERSION")


def record(trajectories: Iterable[tuple[str, bool, int, int]], file: IO[str]) -> None:
    """Plays trajectories, and writes them with their hashes, and the C library, as CSV."""
    print(f"# stock gfootball 2.10.2 with {c_library()}", file=file, flush=True)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for scenario, reverse, seed, steps in trajectories:
        hashed = trajectory_hash(scenario, reverse, seed, steps)
        writer.writerow([scenario, int(reverse), seed, steps, hashed])
        file.flush()


def main() -> None:
    steps = 150
    record(
        [
            (scenario, reverse, 3 * index + reverse, steps)
            for index, scenario in enumerate(_SCENARIOS)
            for reverse in (False, True)
        ],
        sys.stdout,
    )


if __name__ == "__main__":
    main()
