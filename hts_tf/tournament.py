"""Command line: everyone plays everyone, on both sides; a table, and ratings with intervals.

  .venv/bin/python -m hts_tf.tournament --workdirs=runs/a,runs/b@400 --ai=0.05,0.6,0.95 \
    --output=runs/tournament

A participant is the newest checkpoint of a workdir, with `@UPDATES` a snapshot or checkpoint of it
that is still there, with `@best` the best that was evaluated; a model, by its name; or by `--ai`
gfootball's own AI. Two AIs do not play each other.
Without AIs the mean rating is 0; else it is that of the first AI, and all ratings and intervals are
differences to it. Written are a table of matches and one of ratings, as CSV, and a picture. The
same command goes on where it was interrupted.
"""

from absl import flags

from hts_tf import round_robin, standings
from hts_tf.files import modules_flag
from hts_tf.system import command, installation, outputs, processors, terminal

_WORKDIRS = flags.DEFINE_list(
    "workdirs",
    None,
    "policies that take part: WORKDIR, WORKDIR@UPDATES, WORKDIR@best or a model's name",
    required=True,
)
_AI = flags.DEFINE_list("ai", [], "difficulties of gfootball's AI, 0 to 1; each takes part")
_EPISODES = flags.DEFINE_integer(
    "episodes", 20, "number of episodes that each two play on each side", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "random seed that selects the episodes", lower_bound=0)
_OUTPUT = flags.DEFINE_string(
    "output", "tournament", "path of the files to write, without their endings"
)
_SCENARIO = flags.DEFINE_string(
    "scenario", None, "scenario of football to play; default: the first participant's"
)
_DIFFICULTY = flags.DEFINE_float(
    "difficulty",
    None,
    "how able football's teams are, but for --ai's, 0 to 1, however the policies were trained; "
    "default: as the scenario sets each",
    lower_bound=0.0,
    upper_bound=1.0,
)
_PROCESSES = flags.DEFINE_integer(
    "processes",
    None,
    "number of matches at the same time, each in a process of some 0.5 GB; default: one per usable "
    "core; no influence on results",
    lower_bound=1,
)


def play() -> None:
    """Plays all matches, writes and prints what came of them.

    Raises:
      ConfigError: a participant cannot play, or not with the others.
    """
    with installation.needing("plot", "a tournament's picture"):
        import matplotlib  # noqa: F401
    round_robin.configure()
    environment, participants, bindings = round_robin.enter(
        _WORKDIRS.value,
        _AI.value,
        _SCENARIO.value,
        modules_flag.MODULES.value,
        _DIFFICULTY.value,
    )
    tournament = round_robin.RoundRobin(
        environment, participants, _EPISODES.value, _SEED.value, bindings
    )
    names = [participant.name for participant in participants]
    processes = _PROCESSES.value or processors.usable_cores()
    output = outputs.named(_OUTPUT.value)
    standings.check(output)  # refused now rather than after hours
    digest = tournament.digest()
    matches = standings.played(output, names, digest)
    number = len(tournament.pairs)
    if [match[:2] for match in matches] != tournament.pairs[: len(matches)]:
        matches = []  # somebody has taken some out
    if matches:
        terminal.say(f"goes on after {len(matches)} of {number} matches")
    for match in tournament.play(min(processes, number - len(matches)), len(matches)):
        matches.append(match)
        standings.write_matches(output, names, matches, len(matches) == number, digest)
        terminal.say(
            f"{len(matches)} of {number}, {names[match.left]} : "
            f"{names[match.right]}  {match.wins} wins, {match.draws} draws, {match.losses} losses, "
            f"goals {match.goals_for:g}:{match.goals_against:g}"
        )
    table = standings.rows(names, matches, tournament.anchor)
    standings.write(output, table)
    terminal.say(f"\n{standings.text(table)}")


if __name__ == "__main__":
    command.run(play)
