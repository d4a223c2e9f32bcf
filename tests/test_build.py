import gin
import pytest

from hts_tf import errors
from hts_tf.algorithms.ppo import PPO
from hts_tf.build import build
from hts_tf.environments.synthetic import Synthetic
from hts_tf.schedules.hts import HTS
from hts_tf.settings import Settings

pytestmark = pytest.mark.usefixtures("clean_gin")


class Forgetful(PPO):
    """An algorithm that takes every step by itself."""

    recurrent = False


def refused(bindings, tmp_path, algorithm=PPO):
    """What `build` says of settings that do not go together."""
    gin.parse_config(bindings)
    settings = Settings(environment=Synthetic(), algorithm=algorithm(), schedule=HTS)
    with pytest.raises(errors.ConfigError) as refusal:
        build(settings, str(tmp_path / "run"), seed=0)
    assert not (tmp_path / "run").exists()
    return str(refusal.value)


def test_a_core_needs_an_algorithm_that_learns_from_sequences(tmp_path):
    says = refused("ActorCritic.core = @lstm", tmp_path, Forgetful)
    assert says == (
        "Trainer.algorithm = @Forgetful() cannot train an agent that remembers: "
        "leave ActorCritic.core unbound (see docs/design.md#memory)"
    )


@pytest.mark.parametrize(
    ("bindings", "says"),
    [
        ("ActorCritic.sequence_length = 7", "ActorCritic.sequence_length = 7 does not divide"),
        ("ActorCritic.sequence_length = 129", "does not divide Trainer.sync_interval = 128"),
        ("ActorCritic.value_torso = @mlp", "ActorCritic.value_torso has no memory"),
    ],
)
def test_what_does_not_go_with_a_core(bindings, says, tmp_path):
    assert says in refused(f"ActorCritic.core = @gru\n{bindings}", tmp_path)


def test_minibatches_are_of_whole_sequences(tmp_path):
    def algorithm():
        return PPO(num_minibatches=32)

    says = refused("ActorCritic.core = @gru", tmp_path, algorithm)
    assert "PPO.num_minibatches = 32 does not divide the 16 sequences" in says
