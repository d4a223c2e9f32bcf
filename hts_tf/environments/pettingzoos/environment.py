"""A parallel PettingZoo environment in the form that executors step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces as gymnasium_spaces

from hts_tf import errors, specs, trees
from hts_tf.environments import base, checked, step_results
from hts_tf.environments.gymnasiums import masks, spaces
from hts_tf.environments.pettingzoos import shared
from hts_tf.environments.pettingzoos.building import Recipe, build
from hts_tf.environments.pettingzoos.two_teams import TwoTeams

_SEEN = "observation"
_READ_ERRORS = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError),
    NotImplementedError,  # what `ParallelEnv.state` raises
)


class PettingZooEnvironment(base.Environment):
    """Writes what agents observe where it belongs, and plays their actions.

    Attributes:
      spec: of the environment.
      env: PettingZoo's.
    """

    def __init__(self, recipe: Recipe, render_mode: str | None = None) -> None:
        """Builds it.

        Args:
          recipe: what to build.
          render_mode: of PettingZoo.

        Raises:
          ConfigError: it cannot be built, or is none that we serve.
        """
        self._module = recipe.module
        self.env, infos = build(recipe, render_mode)
        try:
            possible = list(getattr(self.env, "possible_agents", ()))
            if not possible:
                raise errors.ConfigError(
                    f"{recipe.module} has no possible_agents: it must name all that may ever take "
                    "part",
                    page="your_own_environment.md#several-players",
                )
            self._teams = TwoTeams(possible, recipe.rivals)
            self._agents = self._teams.agents
            self._lay_out(recipe, infos)
        except BaseException:
            self.close()
            raise
        self._steps = 0

    def _lay_out(self, recipe: Recipe, infos: dict[str, dict[str, Any]]) -> None:
        seen = [self.env.observation_space(agent) for agent in self._agents]
        actions = [self.env.action_space(agent) for agent in self._agents]
        self._mask_is_observed = all(map(masks.are_observed, seen))
        # Of each agent the key of what is beside the mask, if it is one thing only.
        self._alone: list[str | None] = [None] * len(seen)
        if self._mask_is_observed:
            self._alone = [_key_beside_mask(space) for space in seen]
            seen = [_without_mask(space) for space in seen]
        observed, self._writers = shared.observed(seen)
        self._played = [spaces.played(space, recipe.bounded_by, "PettingZoo") for space in actions]
        kinds = [played.spec for played in self._played]
        action = shared.action(actions, kinds, self._module)
        entries: dict[str, trees.Tree] = {}
        self._masks = None
        counts = [spaces.values(space) for space in actions]
        self._masked = {*self._agents} if self._mask_is_observed else set()  # who have masks
        if not self._mask_is_observed and None not in counts:
            self._masked = {a for a in self._agents if specs.ACTION_MASK in _of(infos, a)}
        if self._masked or any(count != counts[0] for count in counts):
            self._masks = self._make_masks(counts)
            entries[specs.ACTION_MASK] = specs.ArraySpec((max(map(sum, counts)),), "bool")
        if recipe.agent_indicator:
            entries[specs.AGENT] = specs.DiscreteSpec(num_values=len(self._agents))
        self._has_state = recipe.critic_state
        self._is_dict = bool(entries) or self._has_state
        # An entry that policies do not see is looked for at the top.
        self._has_own_state = self._is_dict and specs.has_critic_state(observed)
        if self._has_own_state:
            observed = {**observed}
            entries[specs.CRITIC_STATE] = observed.pop(specs.CRITIC_STATE)
        if self._has_state:
            if self._has_own_state:
                raise errors.ConfigError(
                    f"PettingZoo.critic_state: agents of {self._module} observe an entry "
                    f"{specs.CRITIC_STATE!r} of their own already"
                )
            entries[specs.CRITIC_STATE], self._write_state = self._state_space()
        self._time_limit = recipe.max_episode_steps
        self.spec = specs.EnvironmentSpec(
            {_SEEN: observed, **entries} if entries else observed,
            action,
            recipe.max_episode_steps or self._own_limit(),
            history_free=recipe.history_free,
            num_players=len(self._agents),
            num_rivals=self._teams.num_rivals,
        )

    def _make_masks(self, counts: list[Any]) -> list[masks.Mask]:
        if any(count is None for count in counts):
            raise errors.ConfigError(
                f"PettingZoo.module = {self._module!r} has masks, but none of Discrete or "
                "MultiDiscrete actions",
                page="your_own_environment.md#what-is-served",
            )
        return [
            masks.Mask(count, played.spec.shape)
            for count, played in zip(counts, self._played, strict=True)
        ]

    def _state_space(self) -> spaces.Observed:
        try:
            space = self.env.state_space
        except AttributeError:
            raise errors.ConfigError(
                f"PettingZoo.critic_state: {self._module} has no state_space"
            ) from None
        return spaces.observed(space, "state")

    def _own_limit(self) -> int:
        limit = getattr(self.env.unwrapped, "max_cycles", None)
        if not isinstance(limit, (int, np.integer)) or limit < 1:
            raise errors.ConfigError(
                f"PettingZoo.max_episode_steps must be bound: {self._module} has no max_cycles",
                page="your_own_environment.md#what-it-may-not-do",
            )
        return int(limit)

    def reset(self, seed: int, observation: trees.Tree) -> None:
        """See base class.

        Raises:
          ProtocolError: an agent is missing, or an observation or mask not of its space.
        """
        self._steps = 0
        shown, infos = self.env.reset(seed=seed)
        missing = [agent for agent in self._agents if agent not in self.env.agents]
        if missing:
            raise self._error(f"the episode begins without {missing[0]!r}")
        self._there = set(self._agents)
        self._write(shown, infos, observation, over=[False] * len(self._agents))

    def step(self, action: Any, observation: trees.Tree) -> base.StepResult:
        """See base class.

        Raises:
          ProtocolError: as `reset`.
        """
        self._steps += 1
        actions = [*map(specs.plain, action)] if self.spec.players else [action]
        chosen = {
            agent: self._played[place].action(actions[place])
            for agent, place in self._teams.places.items()
            if agent in self._there
        }
        shown, rewards, terminated, truncated, infos = self.env.step(chosen)
        is_last = self._steps == self._time_limit
        staying = set(self.env.agents)
        reward, *ends = (
            [self._said(read, name, said, agent) for agent in self._agents]
            for read, name, said in (
                (step_results.number, "reward", rewards),
                (step_results.flag, "terminated", terminated),
                (step_results.flag, "truncated", truncated),
            )
        )
        for index, agent in enumerate(self._agents):
            was_there = agent in self._there
            if was_there and agent not in rewards:
                raise self._error(f"{agent!r} was there, but has no reward")
            if agent in staying and not was_there:
                raise self._error(f"{agent!r} had left, but is there again")
            if agent not in staying and not ends[1][index]:
                ends[0][index] = True  # gone, whatever it is called
            elif was_there and is_last:
                ends[1][index] = True
            if was_there and not ends[0][index] and agent not in shown:
                raise self._error(f"{agent!r} has not terminated, but observes nothing")
        self._write(shown, infos, observation, over=[any(end) for end in zip(*ends, strict=True)])
        self._there = staying
        if not self.spec.players:
            return base.StepResult(reward[0], reward[0], ends[0][0], ends[1][0])
        paid = np.array(reward)
        return base.StepResult(paid, self._teams.scores(paid), *map(np.array, ends))

    def close(self) -> None:
        """See base class."""
        if self.env is not None:
            env, self.env = self.env, None
            with checked.closing(self._module):
                env.close()

    def _said(
        self, read: Callable[[str, Any], Any], name: str, said: dict[str, Any], agent: str
    ) -> Any:
        """Returns what is said of an agent; of one who has left, that is nothing."""
        try:
            return read(name, said.get(agent, 0) if agent in self._there else 0)
        except ValueError as error:
            raise self._error(f"{agent!r}: {error}") from None

    def _write(self, shown: Any, infos: Any, observation: trees.Tree, over: Sequence[bool]) -> None:
        """Writes what all agents observe; `over` says for whom it was the last time."""
        what = ""
        try:
            for index, agent in enumerate(self._agents):
                what = f"what {agent!r} observes"
                place = self._of_player(index, observation)
                if agent in shown:
                    self._write_agent(index, shown[agent], place)
                    what = f"{agent!r}'s action mask"
                    if self._masks is not None:
                        given = self._given_mask(agent, shown, infos)
                        all_may = over[index] or agent not in self._masked
                        self._write_mask(index, given, place[specs.ACTION_MASK], all_may)
                elif agent in self.env.agents:
                    raise self._error(f"{agent!r} is there, but observes nothing")
                else:  # it has left
                    trees.map(lambda array: array.fill(0), place)
            what = "its state()"
            if self._has_state:
                self._write_all(observation[specs.CRITIC_STATE])
        except _READ_ERRORS as error:
            fault = errors.in_a_line(error)
            raise self._error(f"{what}: {fault}") from error

    def _given_mask(self, agent: str, shown: Any, infos: Any) -> Any:
        """Returns an agent's mask; None if it has none, or one is missing."""
        if agent not in self._masked:
            return None
        if self._mask_is_observed:
            return shown[agent][specs.ACTION_MASK]
        return _of(infos, agent).get(specs.ACTION_MASK)

    def _write_mask(self, index: int, given: Any, permitted: np.ndarray, all_may: bool) -> None:
        """Writes an agent's mask; `all_may` says that one that is missing permits everything."""
        mask = self._masks[index]
        permitted.fill(False)
        mask.write(given, permitted[: mask.spec.shape[0]], all_may)

    def _write_agent(self, index: int, seen: Any, place: Any) -> None:
        array = place[_SEEN] if self._is_dict else place
        if self._has_own_state:
            array = {**array, specs.CRITIC_STATE: place[specs.CRITIC_STATE]}
        key = self._alone[index]
        self._writers[index](seen if key is None else seen[key], array)
        if self._is_dict and specs.AGENT in place:
            place[specs.AGENT][...] = self._teams.numbers[index]

    def _write_all(self, arrays: trees.Tree) -> None:
        state = self.env.state()
        for index in range(self.spec.num_players):
            self._write_state(state, self._of_player(index, arrays))

    def _of_player(self, index: int, arrays: trees.Tree) -> trees.Tree:
        if not self.spec.players:
            return arrays
        return trees.map(lambda array: array[index, ...], arrays)

    def _error(self, fault: str) -> checked.ProtocolError:
        return checked.broken(self._module, self._steps, fault)


def _key_beside_mask(space: gymnasium_spaces.Dict) -> str | None:
    """Returns the key of what is left but the mask, if it is one thing only."""
    keys = [key for key in space if key != specs.ACTION_MASK]
    return keys[0] if len(keys) == 1 else None


def _without_mask(space: gymnasium_spaces.Dict) -> gymnasium_spaces.Space:
    """Returns what is left; an entry that is left alone stands for itself."""
    alone = _key_beside_mask(space)
    if alone is not None:
        return space[alone]
    return masks.without(space)


def _of(infos: Any, agent: str) -> dict[str, Any]:
    """Returns what is told of an agent, if anything is."""
    info = infos.get(agent) if isinstance(infos, dict) else None
    return info if isinstance(info, dict) else {}
