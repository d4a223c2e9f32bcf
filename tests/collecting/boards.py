"""Boards of games that nobody plays, and such a game."""

from hts_tf import rollouts, specs
from hts_tf.collecting import board, shared_memory


def make(step, game, sync_interval, num_envs, num_storages):
    """A board on which nothing has begun."""
    fields = board.fields(step, game, sync_interval, num_envs, num_storages)
    made = board.Board(shared_memory.SharedArrays(fields), step, game)
    made.clear()
    return made


def game_of_tasks(*rivals):
    """A game of one player who in each task has so many rivals, and what its steps are."""
    game = specs.EnvironmentSpec(
        specs.ArraySpec((2,), "float32"),
        specs.DiscreteSpec(num_values=3),
        max_episode_steps=9,
        num_players=1 + max(rivals),
        num_rivals=max(rivals),
        rivals_of_tasks=rivals,
    )
    return game, rollouts.step_spec(game, {"logits": specs.ArraySpec((3,), "float32")})
