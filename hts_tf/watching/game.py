"""A game that a person plays: episodes, step by step, in real time."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hts_tf import errors, specs, trees
from hts_tf.environments import base, checked
from hts_tf.watching import keyboard, stages, video

_PAUSE = "p"
_HOLD_SEC = 1.5  # how long an episode's end is shown

# Begins an episode; returns a function that says what all players do, [P, ...], seeing this.
Others = Callable[[int], Callable[[trees.Tree], np.ndarray]]


class Game:
    """Episodes that a person plays.

    Attributes:
      keyboard: what keys do.
      fps: env steps a second that look natural.
      has_left: whether the person wants no more.
    """

    def __init__(self, environment: base.EnvironmentConfig, others: Others | None) -> None:
        """Builds the environment.

        Raises:
          ConfigError: it has no pictures, or cannot be played with a keyboard.
        """
        spec = environment.spec
        if spec.num_players > 1 and others is None:
            raise errors.ConfigError(
                f"it has {spec.num_players} players, and you are one: --against=WORKDIR names who "
                "plays the others",
                page="football.md#play-yourself",
            )
        self.has_left = False
        self._spec = spec
        self._others = others
        self._view = base.watched(environment)
        self.keyboard = keyboard.of(spec.action, self._view.action_name)
        self.fps = video.fps(self._view)
        self._checked = checked.Checked(self._view, spec)
        self._observation = spec.new_observation()
        self._seen = spec.by_player(self._observation)

    def play(self, seed: int, stage: stages.Stage, fps: float) -> str | None:
        """Plays an episode.

        Args:
          seed: of the episode.
          stage: where.
          fps: env steps a second.

        Returns:
          How it went; None if the person has left before its end.
        """
        self._checked.reset(seed, self._observation)
        act = self._others(seed) if self._others else None
        idle = self.keyboard.idle
        score, total, steps, action = 0.0, 0.0, 0, 0 if idle is None else idle
        result = None
        while result is None or not result.is_over:
            began = time.monotonic()
            done = "" if steps == 0 else self._view.action_name(action)
            status = (
                f"{self._view.title}  step {steps}  score {score:g}  return {total:.2f}  {done}"
            )
            stage.show(self._view.picture(), [status, *self._help()])
            time.sleep(max(0.0, began + 1 / fps - time.monotonic()))
            key = stage.pressed()
            while key == _PAUSE:
                time.sleep(0.05)
                key = stage.pressed() or _PAUSE
            if key == keyboard.ESCAPE:
                self.has_left = True
                return None
            wanted = self.keyboard.actions.get(key, action if idle is None else idle)
            action = self._permitted(wanted)
            played = action
            if act:
                played = act(self._seen)  # of several players: there are others
                played[0] = action
            result = self._checked.step(played, self._observation)
            score += float(np.ravel(result.score)[0])
            total += float(np.ravel(result.reward)[0])
            steps += 1
        stage.show(self._view.picture(), [f"{self._view.title}: over, score {score:g}"])
        until = time.monotonic() + _HOLD_SEC
        key = None
        while time.monotonic() < until and not key:
            time.sleep(0.05)
            key = stage.pressed()
        self.has_left = key == keyboard.ESCAPE
        return f"score {score:g}, return {total:.2f}, {steps} env steps"

    def _permitted(self, action: Any) -> Any:
        """Returns an action; where it is not permitted now, idle, or else the first that is."""
        mask = specs.action_mask_of(self._seen)
        if mask is None or mask[0, action]:
            return action
        idle = self.keyboard.idle
        return idle if idle is not None and mask[0, idle] else int(mask[0].argmax())

    def _help(self) -> list[str]:
        words = [f"{key}: {name}" for key, name in self.keyboard.names.items()]
        words += [f"{_PAUSE}: pause, then any other key", "escape: end"]
        return ["   ".join(word.replace(" ", stages.UNBROKEN) for word in words)]

    def close(self) -> None:
        """Releases the environment."""
        self._checked.close()
