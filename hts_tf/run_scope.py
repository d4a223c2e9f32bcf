"""What a run's bits depend on beside its configuration, and whether all machines have the same."""

from hts_tf import errors, operative
from hts_tf.collecting.policy import FLEXIBLE, Policy
from hts_tf.files import scope
from hts_tf.system import compute, terminal
from hts_tf.team import Team

_GPUS = "GPUs"  # as `compute.describe` calls them
_warned: set[str] = set()  # a run begins again in the same process, after a machine was lost


def played(configuration: str) -> dict[str, str]:
    """Returns what others' environments, scenarios and the user's modules consist of here."""
    bound = operative.bindings(configuration)
    scenarios = {value for name, value in bound.items() if name.endswith("Football.scenario")}
    watching = {*bound.get(operative.WATCHING, ())}
    modules = sorted({*bound.get(operative.IMPORTS, ())} - watching)
    return {
        **scope.simulators(),
        **scope.scenarios(sorted(scenarios)),
        **scope.modules(modules),
    }


def object_to(difference: str, is_refused: bool) -> None:
    """Refuses a difference between machines, or warns of it once.

    Args:
      difference: which machine has what, and what this one or the first one has.
      is_refused: else it is warned of.

    Raises:
      ConfigError: it is refused.
    """
    if is_refused:
        raise errors.ConfigError(
            f"{difference}: install the same on all machines",
            page="cluster.md#what-has-to-be-the-same-on-all-machines",
        )
    if difference not in _warned:
        _warned.add(difference)
        terminal.warn(
            f"{difference}: if it computes other bits, results are not those of one machine",
            page="cluster.md#what-has-to-be-the-same-on-all-machines",
        )


def check_alike(team: Team, played_here: dict[str, str]) -> None:
    """Checks that what environments consist of is the same on all machines; warns of other GPUs.

    Else they would be learnt from as they are: to other bits than on one machine, without a sign.
    (`machines.head` compares what all runs need, before the others load TensorFlow.)

    Args:
      team: of machines; some may load more than others.
      played_here: see `played`.

    Raises:
      ConfigError: they differ.
    """
    machines = team.all_gather({**played_here, _GPUS: compute.describe()[_GPUS]})
    for number, there in enumerate(machines):
        for name in sorted(machines[0].keys() & there.keys()):
            ours, theirs = machines[0][name], there[name]
            is_refused = name != _GPUS
            if theirs != ours and (is_refused or team.number == 0):
                object_to(f"machine {number} has {name} {theirs}, machine 0 {ours}", is_refused)


def describe(played_here: dict[str, str], policy: Policy) -> dict[str, str]:
    """Returns all that the run's bits depend on but its configuration; see `files.scope`.

    Args:
      played_here: see `played`.
      policy: that the actors run.
    """
    return {
        **scope.describe(),
        **played_here,
        **compute.describe(),
        "inference": _inference(policy),
    }


def _inference(policy: Policy) -> str:
    verdict = "passed" if policy.batching in FLEXIBLE else "failed for any size"
    return f"{policy.batching.value} (self-check {verdict})"
