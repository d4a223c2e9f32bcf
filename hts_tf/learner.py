"""The learner: trains the target agent, one compiled function per update."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hts_tf import errors, rollouts, seeding, specs, trees
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.algorithms.shards import WHOLE, Shards
from hts_tf.networks import parameters
from hts_tf.networks.agent import Agent

_Logs = dict[str, tf.Tensor]  # scalars
AfterUpdate = Callable[[rollouts.Rollout, Sequence[np.ndarray], Sequence[np.ndarray]], None]


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
      after_update: called with what an update has just learnt from, and the values, not to be
        kept, of the agent's variables and of `state_variables`, for fingerprints: here it costs no
        time of the sync point.
    """

    def __init__(
        self,
        agent: Agent,
        algorithm: Algorithm,
        rollout_shapes: rollouts.Rollout,
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
        self._of_algorithm = [*algorithm.variables]
        self._num_columns = rollout_shapes.reward[0].size
        self.reward_scaling = None
        if reward_scaling is not None:
            of_all_machines = self._num_columns // len(shards.here) * shards.total
            self.reward_scaling = reward_scaling(of_all_machines, algorithm.discount)
        self.updates = 0
        self.after_update: AfterUpdate | None = None
        self._seed = seed
        self.num_updates = num_updates
        length = agent.sequence_length(len(rollout_shapes.reward)) or 1
        self._shards = shards
        self._permutations_shape = algorithm.epochs, rollout_shapes.reward.size // length
        self._update = self._compiled(algorithm, rollouts.columns(rollout_shapes))
        read = [*agent.variables, *self.state_variables]
        self._read = tf.function(lambda: [*map(tf.convert_to_tensor, read)], autograph=False)

    def _compiled(self, algorithm: Algorithm, columns: rollouts.Rollout) -> Callable[..., _Logs]:
        """Returns the update of rollouts of such columns, compiled when it is first called."""
        agent, shards = self.agent, self._shards
        further = {} if self.gradient_agent is None else {"gradient_agent": self.gradient_agent}
        if algorithm.sharded:
            further["shards"] = shards

        @tf.function(
            autograph=False,  # whose translation of Python takes longer than tracing it
            input_signature=[
                trees.map(lambda x: tf.TensorSpec(x.shape, x.dtype), columns),
                tf.TensorSpec(self._permutations_shape, tf.int32),
                tf.TensorSpec((), tf.float32),
                tf.TensorSpec((2,), tf.int32),
            ],
        )
        def update(
            rollout: rollouts.Rollout,
            permutations: tf.Tensor,
            progress: tf.Tensor,
            seed: tf.Tensor,
        ) -> _Logs:
            if not trees.is_left_out(rollout.chosen_by):  # others' choices are not learnt from
                own = tf.equal(rollout.chosen_by, 0)
                rollout = rollout._replace(counts=rollout.counts & own)
            if self.reward_scaling is not None:
                rollout = self.reward_scaling.scale(rollout, shards)
            drawn = {"seed": seed} if algorithm.random else {}
            logs = algorithm.update(
                agent, self.optimizer, rollout, permutations, progress, **further, **drawn
            )
            seen = shards.each(lambda i: agent.statistics(shards.columns(rollout, i)))
            for statistics in shards.all_gather(seen):
                agent.observe(statistics)
            return logs

        return update

    def step(self, rollout: rollouts.Rollout) -> dict[str, float]:
        """Makes one update.

        Args:
          rollout: numpy arrays [T, N, P, ...], read only during the call.

        Returns:
          The update's scalars for the log.

        Raises:
          DivergenceError: it has made parameters that are not finite.
          RunError: the run has had all of its updates.
        """
        if self.updates == self.num_updates:
            raise errors.RunError(
                f"the run has had all of its {self.num_updates:,} updates: a schedule makes at "
                "most one in each round"
            )
        permutations = self._permutations()
        progress = np.float32(self.updates / self.num_updates)
        seed = np.int32([seeding.integer(self._seed, "update", self.updates), self.updates])
        columns = trees.map(tf.convert_to_tensor, rollouts.columns(rollout))
        logs = self._update(columns, permutations, progress, seed)
        self.updates += 1
        logs = {name: float(value) for name, value in logs.items()}
        # Read by one call, for who looks at them: of each by itself, that takes longer than some
        # updates. They are not copied, so let go of before the next one.
        arrays = [np.asarray(tensor) for tensor in self._read()]
        if not all(map(specs.all_finite, arrays)):
            raise errors.DivergenceError(
                f"update {self.updates:,} made parameters that are not finite ("
                + ", ".join(f"{name} {value:g}" for name, value in logs.items())
                + "): the checkpoints are from before; start again in another --workdir with, "
                "for example, a lower learning rate",
                page="faq.md#learning-has-diverged-what-now",
            )
        if self.after_update is not None:
            number = len(self.agent.variables)
            self.after_update(rollout, arrays[:number], arrays[number:])
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
        """What updates depend on beside the agents."""
        scaling = self.reward_scaling.variables if self.reward_scaling else []
        return [*self.optimizer.variables, *scaling, *self._of_algorithm]

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes: the agent's variables first."""
        return {
            "run/updates": np.array(self.updates),
            parameters.SPACES: parameters.spaces(self.agent),
            parameters.NETWORK: parameters.network(self.agent),
            **{f"variable/{i}": v.numpy() for i, v in enumerate(self._variables())},
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state.

        Raises:
          ConfigError: it is of another agent.
        """
        parameters.check(self.agent, state, parameters.CHECKPOINT)
        parameters.assign(self._variables(), state)
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
        parameters.assign(
            [
                None if any(variable is one for one in episodes) else variable
                for variable in [*self.agent.variables, *self.state_variables]
            ],
            state,
            source,
            "has no state of such an optimizer, reward scaling and algorithm: "
            "bind Trainer.start_from_optimizer = False",
        )

    def _variables(self) -> list[tf.Variable]:
        delayed = self.gradient_agent.variables if self.gradient_agent else []
        return [*self.agent.variables, *self.state_variables, *delayed]
