"""Command line: evaluates the newest checkpoint of a run."""

import sys
from pathlib import Path

import numpy as np
from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import config, errors, evaluator, learner, settings  # noqa: F401  gin configurables
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base
from hts_tf.files import archive, run_flags
from hts_tf.files.episodes import Episode
from hts_tf.files.workdir import Workdir
from hts_tf.networks import sketch
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.system import command, compute, memory, whole
from hts_tf.watching import display, playback, video

_EPISODES = flags.DEFINE_integer("episodes", 100, "how many to play", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "selects the episodes", lower_bound=0)
_DETERMINISTIC = flags.DEFINE_bool(
    "deterministic_policy", False, "always take the most probable action"
)

_PARALLEL = 16  # environments at once
_HISTOGRAM_BINS = 10
_HISTOGRAM_WIDTH = 50  # characters


def evaluate() -> None:
    """Evaluates, writes what was played, and prints how it went.

    Raises:
      ConfigError: the workdir holds nothing that can be evaluated.
      ProtocolError: an environment broke a rule.
    """
    workdir = Workdir(run_flags.WORKDIR.value)
    config.load_text(workdir.configuration(), workdir.config, run_flags.MODULES.value)
    state = workdir.newest()
    if state is None:
        raise errors.ConfigError(f"--workdir={workdir.path} holds no checkpoint yet")
    compute.configure()
    environment = config.environment()
    memory.require(sketch.nbytes(sketch.sketch(environment.spec)), "for the network")
    agent = ActorCritic(environment.spec, seed=0)
    learner.assign(agent.variables, state)
    env_steps = int(state["run/env_steps"])
    records = evaluator.evaluate(
        environment,
        Policy(agent, _PARALLEL),
        _EPISODES.value,
        _SEED.value,
        _PARALLEL,
        _DETERMINISTIC.value,
    )
    policy = "most_probable" if _DETERMINISTIC.value else "sampled"
    path = workdir.path / f"evaluation_{env_steps:09d}_{policy}_seed{_SEED.value}.csv"
    episodes = [Episode(r.score, r.episode_return, r.length) for r in records]
    rows = ([number, *episode] for number, episode in enumerate(episodes))
    whole.write_csv(path, ["episode", *Episode._fields], rows)
    archive.write(path.with_suffix(".bin"), records)
    _show(environment, records[0], env_steps, workdir.path / "evaluation")
    print(f"{len(episodes)} episodes with the policy of {env_steps:,} env steps, also in {path}")
    for name, values in zip(Episode._fields, np.transpose(episodes), strict=True):
        print(f"\n{name}: mean {values.mean():.3f}, standard deviation {values.std():.3f}")
        print(histogram(values))


def _show(
    environment: base.EnvironmentConfig, record: archive.Record, env_steps: int, directory: Path
) -> None:
    """Writes an episode's video for TensorBoard, if the environment can be watched.

    Args:
      environment: recipe of the environment.
      record: of the episode.
      env_steps: of the policy that played it.
      directory: of the event file. Not the training's: TensorBoard follows only the newest of a
        directory, and the training may go on.
    """
    if not isinstance(environment, base.Watchable):
        return
    player = environment.watch()
    playing = playback.Playback(player, environment.spec, record)
    content, size = video.gif(video.frames(player, playing, record), video.FPS)
    player.close()
    tensorboard = display.TensorBoard(directory)
    tensorboard.animation(env_steps, "evaluation/first_episode", content, size)
    tensorboard.close()


def histogram(values: np.ndarray) -> str:
    """Draws a histogram in text, one line for each bin."""
    counts, edges = np.histogram(values, _HISTOGRAM_BINS)
    block = "█" if sys.stdout.encoding.lower().startswith("utf") else "#"
    return "\n".join(
        f"  {low:8.2f} to {high:8.2f}  {count:5d}  "
        + block * round(_HISTOGRAM_WIDTH * count / counts.max())
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    )


def main() -> None:
    """Entry point."""
    command.run(evaluate)


if __name__ == "__main__":
    main()
