"""A game whose rewards make learning diverge in its first update."""

_MODULE = """
from hts_tf.configurables import configurable
from hts_tf.environments import synthetic

class Game(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        return super().step(action, observation)._replace(reward=3e38)

@configurable
class TooRich(synthetic.Synthetic):
    def make(self):
        return Game(self)
"""


def write(directory):
    """Writes the module, and returns a gin file that takes it."""
    (directory / "game_that_is_too_rich.py").write_text(_MODULE)
    path = directory / "too_rich.gin"
    path.write_text("import game_that_is_too_rich\nTrainer.environment = @TooRich()\n")
    return path
