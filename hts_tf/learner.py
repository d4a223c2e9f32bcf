"""The learner: trains the target network, one compiled function per update."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hts_tf import seeding, specs
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.networks.actor_critic import ActorCritic


class Learner:
    """Owns the target network's training.

    Attributes:
      network: the target network.
      optimizer: its state belongs to a checkpoint, beside the network's.
      updates: how many updates the network has had.
      gradient_network: where an algorithm with `delayed_gradient` takes its gradient, or None for
        the target network itself. The schedule gives it the parameters that collected the rollout
        of the next step.
      after_update: called with what an update has just learnt from, for fingerprints: here it
        costs no time of the sync point.
    """

    def __init__(
        self,
        network: ActorCritic,
        algorithm: Algorithm,
        rollout_shapes: specs.Rollout,
        num_updates: int,
        seed: int,
        gradient_network: ActorCritic | None = None,
    ) -> None:
        """Creates the optimizer and declares the update.

        Args:
          network: the target network.
          algorithm: whose update to run.
          rollout_shapes: a rollout of the shapes and dtypes to come.
          num_updates: in the whole run, for schedules that decay.
          seed: of the run.
          gradient_network: see the attribute; with the same parameters as the network.
        """
        self.network = network
        self.gradient_network = gradient_network
        self.optimizer = algorithm.make_optimizer()
        self.optimizer.build(network.trainable_variables)
        self.updates = 0
        self.after_update: Callable[[specs.Rollout], None] | None = None
        self._seed = seed
        self._num_updates = num_updates
        self._epochs = algorithm.epochs
        delayed = {} if gradient_network is None else {"gradient_network": gradient_network}

        @tf.function(
            autograph=False,  # whose translation of Python takes longer than tracing it
            input_signature=[
                specs.Rollout(*(tf.TensorSpec(x.shape, x.dtype) for x in rollout_shapes)),
                tf.TensorSpec((algorithm.epochs, rollout_shapes.action.size), tf.int32),
                tf.TensorSpec((), tf.float32),
            ],
        )
        def update(
            rollout: specs.Rollout, permutations: tf.Tensor, progress: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            return algorithm.update(
                network, self.optimizer, rollout, permutations, progress, **delayed
            )

        self._update = update

    def step(self, rollout: specs.Rollout) -> dict[str, float]:
        """Makes one update.

        Args:
          rollout: numpy arrays, read only during the call.

        Returns:
          The update's scalars for the log.
        """
        permutations = seeding.permutations(
            self._seed, self.updates, self._epochs, rollout.action.size
        )
        progress = np.float32(self.updates / self._num_updates)
        logs = self._update(
            specs.Rollout(*map(tf.convert_to_tensor, rollout)), permutations, progress
        )
        self.updates += 1
        logs = {name: float(value) for name, value in logs.items()}
        if self.after_update is not None:
            self.after_update(rollout)
        return logs

    def variables(self) -> list[tf.Variable]:
        """All that updates depend on: the network's variables first, then the optimizer's."""
        delayed = self.gradient_network.variables if self.gradient_network else []
        return [*self.network.variables, *self.optimizer.variables, *delayed]
