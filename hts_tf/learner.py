"""The learner: trains the target agent, one compiled function per update."""

from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from hts_tf import errors, seeding, specs, trees
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.algorithms.shards import WHOLE, Shards
from hts_tf.networks.agent import Agent
from hts_tf.networks.transparent import Transparent

# In checkpoints and snapshots: what their agent observes and does, and what it is made of.
SPACES, NETWORK = "agent/spaces", "agent/network"


class Learner:
    """Owns the target agent's training.

    Attributes:
      agent: the target agent.
      optimizer: its state belongs to a checkpoint, beside the agent's.
      updates: how many updates the agent has had.
      num_updates: that it has in the whole run.
      gradient_agent: where an algorithm with `delayed_gradient` takes its gradient, or None for
        the target agent itself. The schedule gives it the parameters that collected the rollout
        of the next step.
      reward_scaling: scales rewards before the algorithm sees them, or None.
      after_update: called with what an update has just learnt from, for fingerprints: here it
        costs no time of the sync point.
    """

    def __init__(
        self,
        agent: Agent,
        algorithm: Algorithm,
        rollout_shapes: specs.Rollout,
        num_updates: int,
        seed: int,
        gradient_agent: Agent | None = None,
        reward_scaling: Callable[[int, float], ReturnScaling] | None = None,
        shards: Shards = WHOLE,
    ) -> None:
        """Creates the optimizer and declares the update.

        Args:
          agent: the target agent.
          algorithm: whose update to run.
          rollout_shapes: a rollout of the shapes and dtypes to come, to this machine.
          num_updates: in the whole run, for schedules that decay.
          seed: of the run.
          gradient_agent: see the attribute; with the same parameters as the agent.
          reward_scaling: makes it from the number of columns and the algorithm's discount.
          shards: of the batch; for a `sharded` algorithm.
        """
        self.agent = agent
        self.gradient_agent = gradient_agent
        self.optimizer = algorithm.make_optimizer()
        self.optimizer.build(agent.trainable_variables)
        self.reward_scaling = None
        if reward_scaling is not None:
            num_columns = rollout_shapes.reward[0].size // len(shards.here) * shards.total
            self.reward_scaling = reward_scaling(num_columns, algorithm.discount)
        self.updates = 0
        self.after_update: Callable[[specs.Rollout], None] | None = None
        self._seed = seed
        self.num_updates = num_updates
        length = agent.sequence_length(len(rollout_shapes.reward)) or 1
        self._shards = shards
        self._num_columns = rollout_shapes.reward[0].size
        self._permutations_shape = algorithm.epochs, rollout_shapes.reward.size // length
        further = {} if gradient_agent is None else {"gradient_agent": gradient_agent}
        if algorithm.sharded:
            further["shards"] = shards

        @tf.function(
            autograph=False,  # whose translation of Python takes longer than tracing it
            input_signature=[
                trees.map(lambda x: tf.TensorSpec(x.shape, x.dtype), specs.columns(rollout_shapes)),
                tf.TensorSpec(self._permutations_shape, tf.int32),
                tf.TensorSpec((), tf.float32),
            ],
        )
        def update(
            rollout: specs.Rollout, permutations: tf.Tensor, progress: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            if not trees.is_left_out(rollout.chosen_by):  # others' choices are not learnt from
                own = tf.equal(rollout.chosen_by, 0)
                rollout = rollout._replace(counts=rollout.counts & own)
            if self.reward_scaling is not None:
                rollout = self.reward_scaling.scale(rollout, shards)
            logs = algorithm.update(
                agent, self.optimizer, rollout, permutations, progress, **further
            )
            seen = shards.each(lambda i: agent.statistics(shards.columns(rollout, i)))
            for statistics in shards.all(seen):
                agent.observe(statistics)
            return logs

        self._update = update

    def step(self, rollout: specs.Rollout) -> dict[str, float]:
        """Makes one update.

        Args:
          rollout: numpy arrays [T, N, P, ...], read only during the call.

        Returns:
          The update's scalars for the log.

        Raises:
          DivergenceError: it has made parameters that are not finite.
        """
        permutations = self._permutations()
        progress = np.float32(self.updates / self.num_updates)
        columns = trees.map(tf.convert_to_tensor, specs.columns(rollout))
        logs = self._update(columns, permutations, progress)
        self.updates += 1
        logs = {name: float(value) for name, value in logs.items()}
        if not are_finite(self.agent.variables) or not are_finite(self.state_variables):
            raise errors.DivergenceError(
                f"update {self.updates:,} made parameters that are not finite ("
                + ", ".join(f"{name} {value:g}" for name, value in logs.items())
                + "): the checkpoints are from before; start again in another --workdir with, "
                "for example, a lower learning rate",
                page="faq.md#learning-has-diverged-what-now",
            )
        if self.after_update is not None:
            self.after_update(rollout)
        return logs

    def _permutations(self) -> np.ndarray:
        """Returns orders of the batch's pieces, one after the other those of each shard here."""
        epochs, size = self._permutations_shape
        number, width = len(self._shards.here), self._num_columns // len(self._shards.here)
        orders = []
        for index, shard in enumerate(self._shards.here):
            order = seeding.permutations(self._seed, self.updates, epochs, size // number, shard)
            # Rows are the whole batch's: in each row of columns, the shard has its stretch.
            orders.append(order // width * self._num_columns + index * width + order % width)
        return np.concatenate(orders, axis=1)

    @property
    def state_variables(self) -> list[tf.Variable]:
        """What updates depend on beside the agents: of the optimizer, and of the reward scaling."""
        scaling = self.reward_scaling.variables if self.reward_scaling else []
        return [*self.optimizer.variables, *scaling]

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes: the agent's variables first."""
        return {
            "run/updates": np.array(self.updates),
            SPACES: spaces(self.agent),
            NETWORK: network(self.agent),
            **{f"variable/{i}": v.numpy() for i, v in enumerate(self._variables())},
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state.

        Raises:
          ConfigError: it is of another agent.
        """
        assign(self._variables(), state)
        self.updates = int(state["run/updates"])

    def take_state(self, state: dict[str, np.ndarray], source: str) -> None:
        """Takes the state of another run's optimizer, and statistics of its rewards' scale.

        Args:
          state: what `state` returned there.
          source: of it, for messages.

        Raises:
          ConfigError: it has none, or of another kind.
        """
        episodes = self.reward_scaling.of_episodes if self.reward_scaling else []
        assign(
            [
                None if any(variable is one for one in episodes) else variable
                for variable in [*self.agent.variables, *self.state_variables]
            ],
            state,
            source,
            "has no state of such an optimizer and reward scaling: "
            "bind Trainer.start_from_optimizer = False",
        )

    def _variables(self) -> list[tf.Variable]:
        delayed = self.gradient_agent.variables if self.gradient_agent else []
        return [*self.agent.variables, *self.state_variables, *delayed]


def spaces(agent: Agent) -> np.ndarray:
    """Returns what an agent observes and does, in words: equal for those that can stand in."""
    return np.array(f"observation {agent.step.observation!r}, action {agent.step.action!r}")


def network(agent: Agent) -> np.ndarray:
    """Returns what its layers are, in words: equal shapes alone may be another function."""
    layers = (
        " ".join(filter(None, [type(layer).__name__, _activation(layer), _function(layer)]))
        for layer in agent._flatten_layers(include_self=False)
    )
    return np.array(", ".join(layers))


def _activation(layer: keras.Layer) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "")


def _function(layer: keras.Layer) -> str:
    return layer.function if isinstance(layer, Transparent) else ""


def frozen(agent: Agent) -> dict[str, np.ndarray]:
    """Returns an agent as files have it: what `assign` takes, its spaces, and its network."""
    variables = {f"variable/{i}": v.numpy() for i, v in enumerate(agent.variables)}
    return {**variables, SPACES: spaces(agent), NETWORK: network(agent)}


def are_finite(variables: Iterable[tf.Variable]) -> bool:
    """Returns whether no variable holds a NaN or an infinity."""
    # asarray: without copying
    return all(specs.all_finite(np.asarray(tf.convert_to_tensor(v))) for v in variables)


def assign(
    variables: Sequence[tf.Variable | None],
    state: dict[str, np.ndarray],
    source: str = "the checkpoint in --workdir",
    otherwise: str = "is of another network",
) -> None:
    """Gives variables, such as an agent's, the values of the first ones in a saved state.

    Args:
      variables: to be given them; None passes one over.
      state: that was saved.
      source: of the state, for messages.
      otherwise: what is said of it if it does not fit.

    Raises:
      ConfigError: it is of another agent, or they are not finite.
    """
    for i, variable in enumerate(variables):
        if variable is None:
            continue
        array = state.get(f"variable/{i}")
        if array is None or tuple(variable.shape) != array.shape:
            raise errors.ConfigError(f"{source} {otherwise}")
        if not specs.all_finite(array):
            raise errors.ConfigError(f"{source} has parameters that are not finite")
        variable.assign(array)
