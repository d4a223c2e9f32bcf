"""Command line: env steps per second, cost and limit of a run on 1 to 1,000 machines; a model.

Nothing is run. What an env step, an answer, a gradient, an exchange take was measured, or is
assumed; the flags say which, and take other numbers. How a round follows from these, see
`cluster_round`. By default a run grows with its machines: each has as many environments and shards.
With --num_envs and --num_shards all rows are of one run, the results of which are the same.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

from hts_tf import errors
from hts_tf.benchmarks import cluster_round, options
from hts_tf.benchmarks.cluster_round import Machine, Network, Prediction, Size, Workload
from hts_tf.system import command, installation, whole

# Measured on two cores of an AMD EPYC; docs/cluster_model.md says how.
_WORKLOADS = {
    # hts_ppo_fast with football_players.gin, Football.left_players = 3, beside other work.
    "academy_3_vs_1": Workload(
        env_sec=1.30e-3,
        sleep_sec=0.0,
        act_sec=82e-6,  # of this a third is inference
        learn_sec=6.6e-6,
        answer_sec=3e-3,
        gradient_bytes=365_136,
        sync_bytes=13_319,
        kept_bytes=381_502,
        num_players=3,
        epochs=10,
        num_minibatches=4,
        sync_interval=128,
    ),
    # The same with 10 players, of an earlier version; docs/cluster_model.md.
    "11_vs_11": Workload(
        env_sec=2.06e-3,  # engine 1.5 ms, observations and masks 0.56 ms
        sleep_sec=0.0,
        act_sec=53e-6,  # what engine, observations and learning leave of 3.2 ms
        learn_sec=6.1e-6,  # 0.61 ms
        answer_sec=3e-3,
        gradient_bytes=365_136,
        sync_bytes=43_938,
        kept_bytes=1_297_317,
        num_players=10,
        epochs=10,
        num_minibatches=4,
        sync_interval=128,
    ),
    # The synthetic game with Synthetic.mean_step_sec = 0.02, each environment in an executor of
    # its own, so that batches are of one or two.
    "sleeping": Workload(
        env_sec=0.23e-3,
        sleep_sec=20e-3,
        act_sec=0.68e-3,
        learn_sec=7.7e-6,
        answer_sec=3e-3,  # docs/results/speed.md, Sync points
        gradient_bytes=19_220,
        sync_bytes=3_919,
        kept_bytes=6_708,
        num_players=1,
        epochs=2,
        num_minibatches=8,
        sync_interval=128,
    ),
}

_WORKLOAD_NAMES = flags.DEFINE_list(
    "workloads", ["academy_3_vs_1", "11_vs_11"], f"workloads: some of {', '.join(_WORKLOADS)}"
)
_WORKLOAD_FLAGS = {
    name: define(name, None, f"{text}; default: the workload's", lower_bound=lowest)
    for name, define, lowest, text in [
        ("env_sec", flags.DEFINE_float, 0, "processor seconds of an env step"),
        ("sleep_sec", flags.DEFINE_float, 0, "seconds that an env step takes without a processor"),
        ("act_sec", flags.DEFINE_float, 0, "processor seconds of acting, per observation"),
        (
            "learn_sec",
            flags.DEFINE_float,
            0,
            "processor seconds of learning, per player's step and epoch",
        ),
        ("answer_sec", flags.DEFINE_float, 0, "seconds from an observation to its action"),
        ("gradient_bytes", flags.DEFINE_float, 0, "bytes of a minibatch's gradient"),
        ("sync_bytes", flags.DEFINE_float, 0, "bytes told at a sync point, of each environment"),
        (
            "kept_bytes",
            flags.DEFINE_float,
            0,
            "bytes that the first machine keeps, of each environment",
        ),
        ("num_players", flags.DEFINE_integer, 1, "players of an environment"),
        ("epochs", flags.DEFINE_integer, 1, "epochs of an update"),
        ("num_minibatches", flags.DEFINE_integer, 1, "minibatches of an epoch"),
        ("sync_interval", flags.DEFINE_integer, 1, "env steps between sync points (alpha)"),
    ]
}
_MACHINES = flags.DEFINE_list(
    "machines", list(map(str, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000])), "numbers of machines"
)
_ENVS_PER_MACHINE = flags.DEFINE_integer(
    "envs_per_machine", 16, "environments of each machine", lower_bound=1
)
_SHARDS_PER_MACHINE = flags.DEFINE_integer(
    "shards_per_machine", 1, "shards of each machine", lower_bound=1
)
_NUM_ENVS = flags.DEFINE_integer(
    "num_envs", None, "environments of the run, the same for all numbers of machines", lower_bound=1
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards", None, "shards of the run, the same for all numbers of machines", lower_bound=1
)
_CORES = flags.DEFINE_float("cores", 2.0, "cores of a machine", lower_bound=0.01)
_SHARED_CORES = flags.DEFINE_boolean(
    "shared_cores", False, "the machines are processes of one, with so many --cores in all"
)
_UTILISATION = flags.DEFINE_float(
    "utilisation",
    0.94,
    "share of the time in which cores with enough to do compute; docs/cluster_model.md: "
    "591 SPS x 3.2 ms / 2 cores",
    lower_bound=0.01,
    upper_bound=1.0,
)
_NUM_EXECUTORS = flags.DEFINE_integer(
    "num_executors", None, "executors of a machine; default: one for each core", lower_bound=1
)
_PRICE = flags.DEFINE_float("price", 0.09, "price of a machine's hour: assumed", lower_bound=0)
_BANDWIDTH = flags.DEFINE_float(
    "bandwidth_gbit", 10.0, "Gbit/s of a machine, each way: assumed", lower_bound=1e-9
)
_LATENCY = flags.DEFINE_float(
    "latency_ms", 0.1, "milliseconds from one machine to another: assumed", lower_bound=0
)
# Of the next four three are of arrays of 365,136 bytes (copies: 5,696,208) between 2, 4 and 8
# processes, by `benchmarks.exchange`; the last one of 64 such arrays. Processor time, on two cores
# with other work.
_MEETING = flags.DEFINE_float(
    "meeting_ms",
    1.8,
    "milliseconds of the exchange, for each machine at each meeting",
    lower_bound=0,
)
_ARRAY = flags.DEFINE_float(
    "array_ms",
    1.2,
    "milliseconds for each array that another machine has put into its store",
    lower_bound=0,
)
_COPY = flags.DEFINE_float(
    "copy_sec_per_gb", 0.4, "processor seconds per GB from other machines", lower_bound=0
)
_ADD = flags.DEFINE_float(
    "add_sec_per_gb",
    0.25,
    "processor seconds per GB of shards' gradients, by `shards.mean`",
    lower_bound=0,
)
_TARGET = flags.DEFINE_float(
    "env_steps_per_day",
    None,
    "env steps a day to reach; says with how many machines they are",
    lower_bound=0,
)
_OUTPUT = flags.DEFINE_string("output", None, "CSV file of the figures")
_PICTURE = flags.DEFINE_string(
    "picture", None, "picture of SPS against machines; needs the extra plot"
)

_HEADING = (
    f"{'machines':>8}{'envs':>8}{'shards':>7}{'SPS':>12}{'each':>7}{'a million':>11}"
    f"{'a billion':>12}{'round':>9}{'exchange':>9}{'sync':>8}{'GB in':>9}  limit"
)


def workload(name: str) -> Workload:
    """Returns one by its name, with what the flags say otherwise.

    Raises:
      ConfigError: there is none of that name.
    """
    if name not in _WORKLOADS:
        raise errors.ConfigError(f"--workloads={name}: {errors.nearest(name, _WORKLOADS)}")
    said = {field: flag.value for field, flag in _WORKLOAD_FLAGS.items() if flag.value is not None}
    return _WORKLOADS[name]._replace(**said)


def size(num_machines: int) -> Size:
    """Returns that of a run on so many machines, as the flags say.

    Raises:
      ConfigError: there is no such run.
    """
    if _NUM_ENVS.value is None and _NUM_SHARDS.value is None:
        envs, shards = _ENVS_PER_MACHINE.value, _SHARDS_PER_MACHINE.value
        if envs % shards:
            raise errors.ConfigError(
                f"--shards_per_machine={shards} does not divide --envs_per_machine={envs}"
            )
        return Size(num_machines, num_machines * envs, num_machines * shards)
    if _NUM_ENVS.value is None or _NUM_SHARDS.value is None:
        raise errors.ConfigError("--num_envs and --num_shards go together: give both, or neither")
    if _NUM_ENVS.value % _NUM_SHARDS.value:
        raise errors.ConfigError(
            f"--num_shards={_NUM_SHARDS.value} does not divide --num_envs={_NUM_ENVS.value}"
        )
    if num_machines > _NUM_SHARDS.value:
        raise errors.ConfigError(
            f"--machines={num_machines}: no more than --num_shards={_NUM_SHARDS.value} can have a "
            "shard"
        )
    return Size(num_machines, _NUM_ENVS.value, _NUM_SHARDS.value)


def predict(name: str, num_machines: int) -> Prediction:
    """Returns what is to be expected, as the flags say.

    Raises:
      ConfigError: there is no such run.
    """
    cores = _CORES.value / (num_machines if _SHARED_CORES.value else 1)
    executors = _NUM_EXECUTORS.value or max(1, int(_CORES.value))
    machine = Machine(cores, _UTILISATION.value, executors, _PRICE.value)
    network = Network(
        bandwidth=_BANDWIDTH.value * 1e9 / 8,
        latency_sec=_LATENCY.value / 1e3,
        meeting_sec=_MEETING.value / 1e3,
        array_sec=_ARRAY.value / 1e3,
        copy_sec=_COPY.value / 1e9,
        add_sec=_ADD.value / 1e9,
    )
    return cluster_round.predict(workload(name), machine, network, size(num_machines))


def line(p: Prediction) -> str:
    """Writes a prediction for the screen, below `_HEADING`."""
    return (
        f"{p.num_machines:8,d}{p.num_envs:8,d}{p.num_shards:7,d}{p.sps:12,.0f}{p.efficiency:7.0%}"
        f"{p.price_per_million:11.4f}{1000 * p.price_per_million:12,.2f}{p.round_sec:9.2f}"
        f"{p.exchange_sec:9.2f}{p.sync_sec:8.2f}{p.received_bytes / 1e9:9.3f}  {p.limit}"
    )


def reaching(name: str, sps: float, most: int) -> str:
    """Says with how few machines so many env steps per second are to be expected.

    Args:
      name: of the workload.
      sps: to be reached.
      most: machines to think of.
    """
    said = f"{sps:,.0f} env steps per second"
    for num_machines in range(1, most + 1):
        p = predict(name, num_machines)
        if p.sps >= sps:
            price = p.price_per_million * p.sps * 86_400 / 1e6
            return f"{said}: {num_machines:,} machines ({p.sps:,.0f}; {price:,.2f} a day)"
    return f"{said}: not with up to {most:,} machines"


def draw(rows: Sequence[tuple[str, Prediction]], path: Path) -> None:
    """Draws env steps per second against machines.

    Raises:
      ConfigError: no picture can be written there.
    """
    with installation.needing("plot", "--picture"):
        from hts_tf.watching import picture

    plt = picture.plt
    plt.style.use("tableau-colorblind10")
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, group in itertools.groupby(rows, key=lambda row: row[0]):
        points = [p for _, p in group]
        axes.loglog([p.num_machines for p in points], [p.sps for p in points], "o-", label=name)
    axes.set_xlabel("machines")
    axes.set_ylabel("env steps per second: modelled")
    axes.grid(alpha=0.3)
    axes.legend()
    with whole.refusing("--picture"):
        picture.write(path, figure, flag="--picture")


def predictions() -> Iterator[tuple[str, Prediction]]:
    """Yields (workload, prediction) as the flags say.

    Raises:
      ConfigError: a flag cannot be used.
    """
    options.check_counts("machines", _MACHINES.value or [""])
    for name in _WORKLOAD_NAMES.value or [""]:
        for num_machines in map(int, _MACHINES.value):
            yield name, predict(name, num_machines)


def tell() -> None:
    """Prints, and writes, what is to be expected.

    Raises:
      ConfigError: a flag cannot be used.
    """
    rows = list(predictions())
    table = options.Table(_OUTPUT.value, ["workload", *Prediction._fields])
    table.add(
        *([name, *(f"{x:.9g}" if isinstance(x, float) else x for x in p)] for name, p in rows)
    )
    for name, group in itertools.groupby(rows, key=lambda row: row[0]):
        print(f"{name}\n{_HEADING}")
        for _, p in group:
            print(line(p))
        if _TARGET.value is not None:
            most = max(map(int, _MACHINES.value))
            print(reaching(name, _TARGET.value / 86_400, most))
        print()
    if _PICTURE.value:
        draw(rows, Path(_PICTURE.value))


if __name__ == "__main__":
    command.run(tell)
