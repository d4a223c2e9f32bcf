"""A sketch of an agent: what it would consist of, before any memory is taken for it."""

from concurrent import futures

import keras
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks.actor_critic import ActorCritic


def sketch(spec: specs.EnvironmentSpec) -> ActorCritic:
    """Returns the agent that gin configures, with variables that have shapes, but no values.

    Args:
      spec: of the environment.
    """

    def build() -> ActorCritic:
        agents = []

        def trace() -> None:
            with keras.StatelessScope(initialize_variables=False):
                agents.append(ActorCritic(spec, seed=0))

        tf.function(trace, autograph=False).get_concrete_function()  # all is symbols in there
        return agents[0]

    # Keras would make up for the values later, if it were not forgotten with a thread.
    with futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(build).result()


def nbytes(agent: ActorCritic) -> int:
    """Returns the bytes that an agent's variables take."""
    return sum(v.shape.num_elements() * tf.as_dtype(v.dtype).size for v in agent.variables)
