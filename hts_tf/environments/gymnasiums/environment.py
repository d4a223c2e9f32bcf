"""A Gymnasium environment in the form that executors step."""

import functools
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces as gymnasium_spaces

from hts_tf import errors, specs, trees
from hts_tf.environments import base, checked
from hts_tf.environments.gymnasiums import building, hidden, masks, spaces

_NUMBERS = (int, float, np.integer, np.floating)


class GymnasiumEnvironment(base.Environment):
    """Writes a Gymnasium environment's observations where they belong, and plays actions on it.

    Attributes:
      spec: of the environment.
      env: Gymnasium's, with all wrappers.
      played: how actions are played.
    """

    def __init__(
        self,
        recipe: building.Recipe,
        has_info_mask: bool | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Builds it.

        Args:
          recipe: what to build.
          has_info_mask: masks come with `info`; None resets the environment once, to see.
          render_mode: of Gymnasium.

        Raises:
          ConfigError: it cannot be built, or is none that we serve.
        """
        self._id = recipe.registered.id
        self._steps = 0
        self._time_limit = recipe.max_episode_steps
        self.env, self._raw_reward = building.build(recipe, render_mode)
        try:
            if has_info_mask is None:
                before = self._spaces()
                has_info_mask = "action_mask" in building.first_info(self.env, self._id)
                if self._spaces() != before:
                    raise errors.ConfigError(
                        f"Gymnasium.id = {self._id!r} has other spaces once it is reset: it must "
                        "set them as it is built",
                        page="your_own_environment.md#what-it-may-not-do",
                    )
            self._lay_out(recipe, has_info_mask)
        except BaseException:
            self.close()
            raise

    def _spaces(self) -> tuple[gymnasium.Space, gymnasium.Space]:
        try:
            return self.env.observation_space, self.env.action_space
        except AttributeError as error:
            raise errors.ConfigError(
                f"Gymnasium.id = {self._id!r} lacks a space before it is reset: {error}",
                page="your_own_environment.md#what-it-may-not-do",
            ) from error

    def _lay_out(self, recipe: building.Recipe, has_info_mask: bool) -> None:
        space = self.env.observation_space
        self.played = spaces.played(self.env.action_space, recipe.bounded_by)
        self._play = self.played.action
        is_dict = isinstance(space, gymnasium_spaces.Dict)
        self.mask_is_observed = masks.are_observed(space)
        if self.mask_is_observed:
            space = masks.without(space)
        elif recipe.action_mask and not has_info_mask:
            hidden.warn_of_masks(self._id, self._raw_reward)
        hidden.warn_of_limit(recipe)
        spec, self._write_shown = spaces.observed(space)
        self._mask = None
        self._inside = False  # an entry of a dict that has the mask, too
        if recipe.action_mask and (self.mask_is_observed or has_info_mask):
            sizes = spaces.values(self.env.action_space)
            if sizes is None:
                raise errors.ConfigError(
                    f"Gymnasium.id = {self._id!r} has masks, but none of Discrete or MultiDiscrete "
                    "actions: bind Gymnasium.action_mask = False to do without",
                    page="your_own_environment.md#what-is-served",
                )
            self._mask = masks.Mask(sizes, self.played.spec.shape)
            observation = spec if is_dict else {"observation": spec}
            spec = {**observation, specs.ACTION_MASK: self._mask.spec}
            self._inside = not is_dict
        self.spec = specs.EnvironmentSpec(
            spec,
            self.played.spec,
            self._time_limit or building.episode_steps(self.env, recipe.registered),
            history_free=recipe.history_free,
            figures=recipe.figures,
        )

    @property
    def has_info_mask(self) -> bool:
        """Whether masks come with `info`."""
        return self._mask is not None and not self.mask_is_observed

    def reset(self, seed: int, observation: trees.Tree) -> None:
        """See base class.

        Raises:
          ProtocolError: the observation is not of its space, or a mask is missing or useless.
        """
        self._steps = 0
        shown, info = self.env.reset(seed=seed)
        self._write(shown, info, observation, over=False)

    def step(self, action: Any, observation: trees.Tree) -> base.StepResult:
        """See base class.

        Raises:
          ProtocolError: as `reset`.
        """
        self._steps += 1
        shown, reward, terminated, truncated, info = self.env.step(self._play(action))
        if self._steps == self._time_limit:
            truncated = True
        # What is of no such type is for `checked` to refuse.
        if isinstance(reward, _NUMBERS):
            reward = float(reward)
        if type(terminated) is np.bool_:
            terminated = bool(terminated)
        if type(truncated) is np.bool_:
            truncated = bool(truncated)
        score = reward
        if self._raw_reward is not None:
            score = self._raw_reward.take()
            if isinstance(score, _NUMBERS):
                score = float(score)
        is_over = terminated or truncated
        self._write(shown, info, observation, is_over)
        figures = self._told(info) if is_over and self.spec.figures else ()
        return base.StepResult(reward, score, terminated, truncated, figures)

    def _told(self, info: Any) -> list[Any]:
        """Returns an episode's figures. Raises: ProtocolError: there are none."""
        try:
            return [
                functools.reduce(lambda part, key: part[key], name.split("/"), info)
                for name in self.spec.figures
            ]
        except (KeyError, TypeError, IndexError) as error:
            raise self._error("info that ends an episode", error) from error

    def observed(self, shown: Any, info: Any = None, may_be_over: bool = False) -> trees.Tree:
        """Returns what Gymnasium shows during an episode as it is observed.

        Args:
          shown: as the wrapped environment returns it.
          info: the same, where masks come with it.
          may_be_over: whether it may be an episode's last, whose mask may permit nothing.

        Raises:
          ProtocolError: it is not of its space, or a mask is missing or useless.
        """
        observation = self.spec.new_observation()
        has_mask = self._mask is not None and self._given_mask(shown, info) is not None
        self._write(shown, info, observation, over=may_be_over and has_mask)
        return observation

    def close(self) -> None:
        """See base class."""
        if self.env is not None:
            env, self.env = self.env, None
            with checked.closing(self._id):
                env.close()

    def _write(self, shown: Any, info: Any, observation: trees.Tree, over: bool) -> None:
        try:
            self._write_shown(shown, observation["observation"] if self._inside else observation)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise self._error("observation", error) from error
        if self._mask is None:
            return
        mask = self._given_mask(shown, info)
        try:
            self._mask.write(mask, observation[specs.ACTION_MASK], over)
        except (ValueError, TypeError) as error:
            raise self._error("action mask", error) from error

    def _given_mask(self, shown: Any, info: Any) -> Any:
        """Returns the mask, None where none is told."""
        told = shown if self.mask_is_observed else info
        return told.get(specs.ACTION_MASK) if isinstance(told, dict) else None

    def _error(self, what: str, error: Exception) -> checked.ProtocolError:
        fault = errors.in_a_line(error)
        if isinstance(error, KeyError):
            fault = f"lacks {fault}"
        return checked.broken(self._id, self._steps, f"the {what} {fault}")
