"""What a learner asks of an algorithm."""

import abc
from collections.abc import Sequence

import keras
import tensorflow as tf

from hts_tf import rollouts
from hts_tf.networks.agent import Agent


class Algorithm(abc.ABC):
    """Hyperparameters, checked when it is built, and the update that they belong to.

    Attributes:
      epochs: how many random orders of the batch `update` is given; 0 where it takes the batch as
        a whole.
      delayed_gradient: whether `update` must take its gradient at the parameters that collected
        the rollout. It is then called with `gradient_agent`, too, an agent that has them; None
        says that the target agent itself does. Such an algorithm cannot be used where the
        policy lag varies. Those that correct for the lag with the stored logits have no such
        argument.
      sharded: whether `update` takes the batch's `Shards`, as its argument `shards`, and so can be
        used with `Trainer.num_shards`; see `update_steps.descend`.
      recurrent: whether `update` can train agents that remember, see `Agent.sequence_length`.
      random: whether `update` is also given `seed`, [2] int32, for `tf.random.stateless_*`:
        another one for each update, and the same on every machine.
      variables: what updates depend on and change beside agent and optimizer, such as the weight
        of a penalty that adapts: they are part of checkpoints and fingerprints. To be made in
        `make_optimizer`, as TensorFlow is not set up before.
      discount: gamma; an algorithm that has none cannot be used with `Trainer.reward_scaling`.
    """

    epochs: int = 0
    delayed_gradient: bool = False
    recurrent: bool = False
    sharded: bool = False
    random: bool = False
    variables: Sequence[tf.Variable] = ()
    discount: float

    def check_batch(  # noqa: B027  any will do
        self, sync_interval: int, num_columns: int, sequence_length: int | None = None
    ) -> None:
        """Raises: ConfigError: the algorithm cannot divide a batch of that shape as it should."""

    @abc.abstractmethod
    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the optimizer that `update` is to be called with; called once, before it."""

    @abc.abstractmethod
    def update(
        self,
        agent: Agent,
        optimizer: keras.optimizers.Optimizer,
        rollout: rollouts.Rollout,
        permutations: tf.Tensor,
        progress: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Trains the agent on one rollout: the whole update, to be traced once.

        Without AutoGraph, which takes seconds: what depends on the value of a tensor is written
        with `tf.foldl`, `tf.cond` and the like, not with `for` and `if`.

        Args:
          agent: the target agent; its parameters change.
          optimizer: from `make_optimizer`, built for the agent.
          rollout: T steps of B environments, as tensors.
          permutations: [epochs, n] int32, orders in which to visit the n pieces of the batch, see
            `update_steps.pieces`: T * B steps, or sequences. With several shards, those of the
            first one come first, and so on.
          progress: scalar, the part of all updates that came before this one, 0 to 1.

        Returns:
          Scalars for the log.
        """
