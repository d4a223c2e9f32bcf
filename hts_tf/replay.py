"""Command line: plays an episode of a run again, checks it, and writes it as a video."""

import itertools
import math
from pathlib import Path

from absl import flags

from hts_tf import config, errors
from hts_tf.environments import base, two_sided

# Not TensorFlow: besides taking its time, it brings an LLVM that the 3-D renderer's clashes with.
from hts_tf.files import archive, listing, run_flags
from hts_tf.files.archive import Record
from hts_tf.files.workdir import Workdir
from hts_tf.system import child, command, outputs
from hts_tf.watching import playback, video

_ARCHIVE = flags.DEFINE_string(
    "archive",
    None,
    "file of episodes, of the run's environment, to choose from; default: the run's own",
)
_UPDATE = flags.DEFINE_integer(
    "update",
    None,
    "number of an update (from 1); with --env: the episode that the environment was playing when "
    "the interval began that this update learnt from",
    lower_bound=1,
)
_ENV = flags.DEFINE_integer(
    "env", None, "number of an environment (from 0); see --update", lower_bound=0
)
_BEST = flags.DEFINE_bool(
    "best",
    False,
    "replay the episode of the highest score, of these that of the highest return, ...",
)
_WORST = flags.DEFINE_bool(
    "worst", False, "replay the last in the order in which --best is the first"
)
_EPISODE = flags.DEFINE_integer(
    "episode",
    None,
    "number of the episode, from --list; without any choice: the last",
    lower_bound=0,
)
_OPPONENT = flags.DEFINE_string(
    "opponent",
    None,
    "opponent of the run's newest policy in a new episode: the newest of a WORKDIR, its snapshot "
    "WORKDIR@UPDATES, WORKDIR@best, a model by its name, or gfootball's AI, 'AI 0.05'; see "
    "hts_tf.evaluate",
)
_MATCH = flags.DEFINE_integer(
    "match", 0, "with --opponent: random seed that selects the episode", lower_bound=0
)
_LIST = flags.DEFINE_bool("list", False, "only show what is in the archive")
_CHECK_ONLY = flags.DEFINE_bool("check_only", False, "play and compare, but write no video")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "video to write, .mp4 or .gif; default: replays/... in the workdir, or of a --model in "
    "runs/models/NAME",
)
_FIRST_STEP = flags.DEFINE_integer(
    "first_step", 0, "number of env steps after which the video begins", lower_bound=0
)
_LAST_STEP = flags.DEFINE_integer(
    "last_step",
    None,
    "number of env steps after which the video ends; default: with the episode",
    lower_bound=0,
)
_FPS = flags.DEFINE_float(
    "fps",
    None,
    "env steps per second of the video; default: the environment's own",
    *video.FPS_RANGE,
)
_RENDER = flags.DEFINE_bool(
    "render",
    False,
    "show football in gfootball's own 3-D pictures, some 0.5 s each. Without DISPLAY they need "
    "OpenGL through EGL (Debian: libegl1, libgl1-mesa-dri), no display or GPU; with DISPLAY, an X "
    "server",
)

_OF_CHOICE = (_UPDATE, _ENV, _BEST, _WORST, _EPISODE)
_OF_VIDEO = (_OUTPUT, _FIRST_STEP, _LAST_STEP, _FPS, _RENDER)
_CHANGES = 20  # of the score, at most, which are named


def run() -> None:
    """Replays.

    Raises:
      ConfigError: there is nothing to replay, or a flag cannot be used.
      RunError: the replay differs from the archive.
    """
    _check_flags()
    workdir = Workdir(run_flags.workdir())
    path = Path(_ARCHIVE.value) if _ARCHIVE.value else workdir.archive
    environment = config.environment_in(
        workdir.configuration(), workdir.config, run_flags.MODULES.value
    )
    if _OPPONENT.value:
        path = play(workdir, _OPPONENT.value, environment.spec.num_tasks)
    records = archive.read(path)
    if not records:
        raise errors.ConfigError(f"{path} holds no finished episode")
    if _LIST.value:
        print(listing.screen(records))
        return
    if _OPPONENT.value:  # in the first of the tasks that has another side
        number = next(n for n, record in enumerate(records) if record.against)
    else:
        number = listing.choose(
            records, _EPISODE.value, _UPDATE.value, _ENV.value, _BEST.value, _WORST.value
        )
    output = None
    if not _CHECK_ONLY.value:
        default = run_flags.results() / "replays" / f"{path.stem}_{number}{_part()}.mp4"
        output = Path(_OUTPUT.value) if _OUTPUT.value else default
    shown = _shown(records[number].length)
    found = replay(environment, records[number], number, output, shown)
    if found:
        why = "" if environment.spec.history_free else " (its episodes are not free of history)"
        raise errors.RunError(
            f"the replay differs from the archive: {'; '.join(found)}{why}",
            page="reproducibility.md#what-a-result-depends-on",
        )
    known = not math.isnan(records[number].score)
    if known:
        print("score, return and length agree with the archive")
    else:
        print("played to the last action that the archive has; it knows no outcome")
    if output is not None:
        print(output)


def _check_flags() -> None:
    """Raises: ConfigError: some have no effect, or do not go together, whatever the episode is."""
    if _MATCH.present and not _OPPONENT.value:
        raise errors.ConfigError("--match is of --opponent: add it")
    of_episode = (*_OF_CHOICE, _ARCHIVE, _LIST)
    for main, others, why in (
        (_OPPONENT, of_episode, "has a new episode played: none is to be chosen"),
        (_LIST, (*_OF_CHOICE, *_OF_VIDEO, _CHECK_ONLY), "plays nothing"),
        (_CHECK_ONLY, _OF_VIDEO, "writes no video"),
    ):
        for flag in others:
            if main.value and flag.value != flag.default:
                raise errors.ConfigError(f"--{main.name} {why}; leave out --{flag.name}")
    first, last = _FIRST_STEP.value, _LAST_STEP.value
    if last is not None and last < first:
        raise errors.ConfigError(f"--last_step={last} is before --first_step={first}")
    if not _LIST.value and not _CHECK_ONLY.value:
        video.check(Path(_OUTPUT.value or "the video.mp4"))


def play(workdir: Workdir, opponent: str, num_tasks: int) -> Path:
    """Has the run's newest policy play an episode of each task; returns their archive.

    Another one plays the other side, where there is one.

    Raises:
      ChildError: they cannot play.
    """
    name = f"against_{outputs.as_name(opponent)}_match{_MATCH.value}"
    path = run_flags.results() / "replays" / name
    arguments = [
        f"--workdir={workdir.path}",
        f"--opponent={opponent}",
        f"--seed={_MATCH.value}",
        f"--episodes={num_tasks}",
        "--novideo",
        f"--output={path}.csv",
        *config.modules_flags(run_flags.MODULES.value),
    ]
    child.run("hts_tf.evaluate", arguments)
    return path.with_name(f"{name}.bin")


def _part() -> str:
    """Returns by what the name of a video differs from that of the whole episode's."""
    last = "" if _LAST_STEP.value is None else _LAST_STEP.value
    excerpt = f"_from{_FIRST_STEP.value}to{last}" if _FIRST_STEP.value or last != "" else ""
    return excerpt + ("_rendered" if _RENDER.value else "")


def _shown(length: int) -> range:
    """Returns which moments of an episode are shown. Raises: ConfigError: there is none."""
    first, last = _FIRST_STEP.value, _LAST_STEP.value
    if first > length:
        raise errors.ConfigError(f"--first_step={first}: the episode has {length} env steps")
    return range(first, 1 + (length if last is None else last))


def replay(
    environment: base.EnvironmentConfig,
    record: Record,
    number: int,
    output: Path | None,
    shown: range,
) -> list[str]:
    """Plays an episode again.

    Args:
      environment: recipe of the environment.
      record: of the episode.
      number: its place in the archive.
      output: the video, or None for none; also written if the replay differs.
      shown: after how many env steps there are pictures.

    Returns:
      In what the replay differs from the archive.

    Raises:
      ConfigError: the environment has no pictures, or the video cannot be written.
    """
    # As `hts_tf.evaluate --opponent` has it.
    environment = two_sided.against(environment, record.against)
    player = environment.make() if output is None else _watched(environment)
    # Before it is played, as it may be one that crashes the simulator.
    print(f"episode {number}: {_describe(record)}", flush=True)
    try:
        playing = playback.Playback(player, environment.spec, record)
        if output is None:
            for _ in playing:
                pass
        else:
            moments = (moment for moment in playing if moment.step in shown)
            pictures = video.frames(player, moments, record)
            first = next(pictures, None)
            if first:  # none, where it differs and ends before what is to be shown
                pictures = itertools.chain([first], pictures)
                video.write(output, pictures, _FPS.value or video.fps(player))
    finally:
        player.close()
    if 0 < len(playing.changes) <= _CHANGES:
        print(f"the score changes in env step {', '.join(map(str, playing.changes))}")
    return playing.disagreements()


def _watched(environment: base.EnvironmentConfig) -> base.Watched:
    try:
        return base.watched(environment, _RENDER.value)
    except errors.ConfigError as error:
        raise errors.ConfigError(f"{error}; add --check_only to do without a video") from error


def _describe(record: Record) -> str:
    outcome = f"score {record.score:g}, return {record.episode_return:.2f}"
    if math.isnan(record.score):
        outcome = "outcome unknown"
    whom = f", against {record.against}" if record.against else ""
    return f"{video.name(record)}{whom}, seed {record.seed}, {record.length} env steps, {outcome}"


if __name__ == "__main__":
    command.run(run)
