"""How long a round of a run on several machines should take, from what its parts take.

A round is an interval of rollout and, at the same time, an update (`hts`), on each machine for its
own environments and shards. It takes the longest of
  cores:    all processor time of a machine, divided among its cores,
  stepping: the env steps of the busiest executor, one after the other, with what they sleep,
  learning: gradients and their exchange, minibatch by minibatch,
and then the sync point, at which machines tell each other of the interval, and everybody waits.

Gradients go as `machines.exchange` sends them: each machine gets each shard's as it is, as these
have to be added in the order of the shards. That is (M - 1) / M S G bytes, with M machines, S
shards and gradients of G bytes.
"""

from typing import NamedTuple

LIMITS = ("environments", "acting", "gradients", "exchange")

# See `machines.exchange`: what is smaller goes through the first machine.
_INLINE_BYTES = 64 << 10

# Besides the gradients': advantages and what is said of an update; the outcome of a round.
_MEETINGS_OF_UPDATE = 3
_MEETINGS_OF_SYNC_POINT = 1


class Workload(NamedTuple):
    """What a run is to do, and what that costs on one core.

    Attributes:
      env_sec: processor seconds of an env step: engine, observation, hand-over.
      sleep_sec: that an env step takes besides, without a processor.
      act_sec: processor seconds of acting per observation (of a player), with all else that the
        trainer does but for learning.
      learn_sec: processor seconds of learning per step of a player and epoch.
      answer_sec: from an observation to its action, where an executor has nothing else to step.
      gradient_bytes: of a minibatch's gradient.
      sync_bytes: that machines tell each other at a sync point, of each environment.
      kept_bytes: that the first machine gets of each environment while the next round runs.
      num_players: of an environment.
      epochs: of an update.
      num_minibatches: of an epoch.
      sync_interval: alpha, env steps of an environment in a round.
    """

    env_sec: float
    sleep_sec: float
    act_sec: float
    learn_sec: float
    answer_sec: float
    gradient_bytes: float
    sync_bytes: float
    kept_bytes: float
    num_players: int
    epochs: int
    num_minibatches: int
    sync_interval: int


class Machine(NamedTuple):
    """What a machine is.

    Attributes:
      cores: that its processes may use; a part of one where machines share cores.
      utilisation: part of the cores' time that is used when there is always something to do.
      num_executors: processes that step its environments.
      price: of an hour.
    """

    cores: float
    utilisation: float
    num_executors: int
    price: float


class Network(NamedTuple):
    """What is between machines.

    Attributes:
      bandwidth: of each machine, bytes per second in each direction at the same time.
      latency_sec: from one machine to another.
      meeting_sec: that the exchange needs for each machine at each meeting.
      array_sec: that a machine needs for each array from another one, whatever its size.
      copy_sec: processor seconds per byte from another machine.
      add_sec: processor seconds per byte of shards' gradients that are added.
    """

    bandwidth: float
    latency_sec: float
    meeting_sec: float
    array_sec: float
    copy_sec: float
    add_sec: float


class Size(NamedTuple):
    """How large a run is.

    Attributes:
      num_machines: M.
      num_envs: N, of all machines.
      num_shards: S, at least M.
    """

    num_machines: int
    num_envs: int
    num_shards: int

    @property
    def shards_here(self) -> int:
        """Of a machine that has the most; see `team.share`."""
        return -(-self.num_shards // self.num_machines)

    @property
    def shards_of_first(self) -> int:
        """Of the first machine, which has the fewest."""
        return self.num_shards // self.num_machines

    @property
    def envs_here(self) -> int:
        """Of a machine that has the most."""
        return self.shards_here * (self.num_envs // self.num_shards)


class Parts(NamedTuple):
    """What a round consists of, on the busiest machine; seconds.

    Attributes:
      environments: of its processor time.
      acting: of its processor time.
      gradients: of its processor time.
      adding: of its processor time, fetching others' gradients included.
      stepping: of the busiest executor.
      exchange: of the learner, waiting for others' gradients.
      keeping: until the first machine has got what it keeps.
      sync: of everybody, at the sync point.
    """

    environments: float
    acting: float
    gradients: float
    adding: float
    stepping: float
    exchange: float
    keeping: float
    sync: float


_OF_LIMIT = {
    "environments": ("environments", "stepping"),
    "acting": ("acting",),
    "gradients": ("gradients",),
    "exchange": ("adding", "exchange", "keeping", "sync"),
}


class Prediction(NamedTuple):
    """What the model says of a size.

    Attributes:
      num_machines: M.
      num_envs: N.
      num_shards: S.
      sps: env steps per second.
      efficiency: these, divided by M times those of a machine that is alone with its share.
      price_per_million: of a million env steps.
      round_sec: from one sync point to the next.
      exchange_sec: of this, gradients that the learner waits for.
      sync_sec: of this, the sync point.
      received_bytes: by the first machine in a round.
      limit: one of `LIMITS`, without which the round would be shortest.
    """

    num_machines: int
    num_envs: int
    num_shards: int
    sps: float
    efficiency: float
    price_per_million: float
    round_sec: float
    exchange_sec: float
    sync_sec: float
    received_bytes: float
    limit: str


def predict(work: Workload, machine: Machine, network: Network, size: Size) -> Prediction:
    """Returns what is to be expected of a run.

    Args:
      work: of the run.
      machine: each of them.
      network: between them.
      size: of the run.
    """
    found = parts(work, machine, network, size)
    seconds = round_sec(found, machine)
    sps = size.num_envs * work.sync_interval / seconds
    share = Size(1, size.envs_here, size.shards_here)
    alone = round_sec(parts(work, machine, network, share), machine)
    sps_alone = share.num_envs * work.sync_interval / alone
    gradients = (size.num_shards - size.shards_of_first) * work.gradient_bytes
    return Prediction(
        *size,
        sps=sps,
        efficiency=sps / (size.num_machines * sps_alone),
        price_per_million=size.num_machines * machine.price / 3600 * 1e6 / sps,
        round_sec=seconds,
        exchange_sec=found.exchange,
        sync_sec=found.sync,
        received_bytes=_num_gradients(work) * gradients
        + _from_others(work.sync_bytes + work.kept_bytes, size),
        limit=limit(found, machine),
    )


def parts(work: Workload, machine: Machine, network: Network, size: Size) -> Parts:
    """Returns what a round consists of; see `predict`."""
    steps = size.envs_here * work.sync_interval
    step_sec = work.sleep_sec + work.env_sec
    in_turn = -(-size.envs_here // min(machine.num_executors, size.envs_here))
    per_minibatch, messages = traffic(work, size)
    exchange = keeping = sync = 0.0
    if size.num_machines > 1:
        meeting = 2 * network.latency_sec + size.num_machines * network.meeting_sec
        gradients = meeting + 2 * network.latency_sec + messages * network.array_sec
        gradients += per_minibatch / network.bandwidth
        exchange = _num_gradients(work) * gradients + _MEETINGS_OF_UPDATE * meeting
        arrays = (size.num_machines - 1) * network.array_sec
        per_byte = 1 / network.bandwidth + network.copy_sec
        keeping = arrays + _from_others(work.kept_bytes, size) * per_byte
        sync = _MEETINGS_OF_SYNC_POINT * (meeting + arrays)
        sync += _from_others(work.sync_bytes, size) * per_byte
    copied = per_minibatch * network.copy_sec
    everything = size.num_shards * work.gradient_bytes
    summed = everything * network.add_sec if size.num_shards > 1 else 0.0
    return Parts(
        environments=steps * work.env_sec,
        acting=steps * work.num_players * work.act_sec,
        gradients=steps * work.num_players * work.epochs * work.learn_sec,
        adding=_num_gradients(work) * (copied + summed),
        stepping=work.sync_interval * max(in_turn * step_sec, step_sec + work.answer_sec),
        exchange=exchange,
        keeping=keeping,
        sync=sync,
    )


def round_sec(found: Parts, machine: Machine) -> float:
    """Returns how long a round takes that consists of these parts."""
    processor = found.environments + found.acting + found.gradients + found.adding
    # See `Compute.intra_op_threads`: the other half is for those who step and act.
    learner_cores = max(machine.cores / 2, min(machine.cores, 1.0))
    learning = found.gradients / learner_cores + found.adding + found.exchange
    cores = processor / (machine.cores * machine.utilisation)
    return max(cores, found.stepping, learning, found.keeping) + found.sync


def limit(found: Parts, machine: Machine) -> str:
    """Returns which of `LIMITS` a round would be shortest without."""

    def without(name: str) -> float:
        return round_sec(found._replace(**dict.fromkeys(_OF_LIMIT[name], 0.0)), machine)

    return min(LIMITS, key=without)


def traffic(work: Workload, size: Size) -> tuple[float, int]:
    """Returns what a minibatch's gradients cost a machine.

    Returns:
      bytes through its network in one direction; arrays that it gets from others. Of the machine
      for which each is most.
    """
    others, here = size.num_machines - 1, size.shards_here * work.gradient_bytes
    everything = size.num_shards * work.gradient_bytes
    if here <= _INLINE_BYTES:
        return others * everything, 0  # the first one tells everybody
    return others * here, others


def _num_gradients(work: Workload) -> int:
    return work.epochs * work.num_minibatches


def _from_others(bytes_of_env: float, size: Size) -> float:
    """Returns what the first machine gets."""
    envs_of_first = size.shards_of_first * (size.num_envs // size.num_shards)
    return (size.num_envs - envs_of_first) * bytes_of_env
