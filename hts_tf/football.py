"""Football for other frameworks: importing this registers all scenarios with Gymnasium.

    import gymnasium
    import hts_tf.football

    environment = gymnasium.make("hts_tf/academy_3_vs_1_with_keeper-v0")

Or in one, `gymnasium.make("hts_tf.football:hts_tf/academy_3_vs_1_with_keeper-v0")`, which works in
any process. For the arguments see `environments.football.for_gymnasium.FootballEnv`.

For PettingZoo there is `parallel_env`:

    environment = hts_tf.football.parallel_env("academy_3_vs_1_with_keeper", left_players=3)
"""

from typing import TYPE_CHECKING, Any

# Not gymnasium.register: a Gymnasium before 1.0 comes here while it is being imported itself.
from gymnasium.envs.registration import register, registry

from hts_tf.environments.football import scenarios

if TYPE_CHECKING:
    from hts_tf.environments.football.for_pettingzoo import FootballParallelEnv


def parallel_env(scenario: str, **kwargs: Any) -> "FootballParallelEnv":
    """Returns a parallel environment of PettingZoo; see `FootballParallelEnv`."""
    from hts_tf.environments.football.for_pettingzoo import FootballParallelEnv

    return FootballParallelEnv(scenario, **kwargs)


def register_scenarios() -> None:
    """Registers `hts_tf/SCENARIO-v0` for each scenario of gfootball, unless it is registered.

    Nothing is registered if gfootball is not installed. It is not imported, nor is TensorFlow.
    """
    for name in scenarios.names():
        environment_id = f"hts_tf/{name}-v0"
        if environment_id not in registry:
            register(
                id=environment_id,
                entry_point="hts_tf.environments.football.for_gymnasium:FootballEnv",
                kwargs={"scenario": name},
            )


register_scenarios()
