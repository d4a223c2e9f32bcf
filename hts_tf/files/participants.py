"""Participants: policies as commands name them, see `policies`."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hts_tf import config, errors, settings  # noqa: F401  gin configurables
from hts_tf.environments import base
from hts_tf.files import policies
from hts_tf.networks import sketch
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.agent import Agent
from hts_tf.system import compute, memory

_WORDS = {"policy": "action head"}


class Participant(NamedTuple):
    """A trained policy.

    Attributes:
      name: WORKDIR@UPDATES, also of the newest policy of a run.
      environment: that it was trained on, or what `changed` has made of it.
      agent: with its parameters.
      parameters: these, as its files have them.
    """

    name: str
    environment: base.EnvironmentConfig
    agent: ActorCritic
    parameters: policies.Parameters


def load(
    name: str,
    modules: Sequence[str] = (),
    configure: Callable[[], None] = compute.use_precision,
    changed: Callable[[base.EnvironmentConfig], base.EnvironmentConfig] | None = None,
) -> Participant:
    """Loads a run's configuration into gin, and makes an agent of it.

    Args:
      name: of a policy, see `policies`.
      modules: see `config.load_text`.
      configure: called between the two, before anything is computed; by default, TensorFlow has
        been set up by another run's.
      changed: makes of the environment that the policy was trained on the one where it acts.

    Raises:
      ConfigError: there is no such run, checkpoint or snapshot, or it cannot be used.
    """
    workdir = policies.workdir(name)
    config.load_text(workdir.configuration(), workdir.config, modules)
    configure()
    environment = config.environment()
    if changed is not None:
        environment = changed(environment)
    memory.require(sketch.nbytes(sketch.sketch(environment.spec)), "for the network")
    agent = ActorCritic(environment.spec, seed=0)
    parameters = policies.read(name)
    parameters.give(agent)
    return Participant(f"{workdir.path}@{parameters.updates}", environment, agent, parameters)


def in_float32(participant: Participant) -> Participant:
    """Returns it as it is exported: in float32, which all programs know, whatever its run did."""
    with compute.precision_of_its_own():
        compute.use_precision("float32")
        agent = ActorCritic(participant.environment.spec, seed=0)
    participant.parameters.give(agent)
    return participant._replace(agent=agent)


def check_that_they_can_meet(agent: Agent, other: Agent, name: str) -> None:
    """Checks that an agent can be asked in another one's place.

    Args:
      agent: the one.
      other: the other.
      name: of the other one, for the message.

    Raises:
      ConfigError: it observes or acts otherwise.
    """
    for what in ("observation", "action", "policy"):
        if getattr(agent.step, what) != getattr(other.step, what):
            raise errors.ConfigError(
                f"{name} cannot play here: its {_WORDS.get(what, what)} is of another kind"
            )
