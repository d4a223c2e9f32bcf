import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.benchmarks import cluster_round
from hts_tf.benchmarks.cluster_round import Machine, Network, Size, Workload

WORK = Workload(
    env_sec=1e-3,
    sleep_sec=0.0,
    act_sec=1e-4,
    learn_sec=1e-5,
    answer_sec=0.0,
    gradient_bytes=1e6,
    sync_bytes=1e4,
    kept_bytes=1e5,
    num_players=3,
    epochs=2,
    num_minibatches=4,
    sync_interval=100,
)
MACHINE = Machine(cores=2.0, utilisation=1.0, num_executors=2, price=3.6)
NETWORK = Network(
    bandwidth=1e8, latency_sec=1e-4, meeting_sec=1e-4, array_sec=1e-3, copy_sec=1e-10, add_sec=1e-10
)
FREE = Network(
    bandwidth=math.inf, latency_sec=0.0, meeting_sec=0.0, array_sec=0.0, copy_sec=0.0, add_sec=0.0
)

positive = st.floats(1e-6, 1e3)
works = st.builds(
    Workload,
    env_sec=positive,
    sleep_sec=positive,
    act_sec=positive,
    learn_sec=positive,
    answer_sec=positive,
    gradient_bytes=st.floats(1e6, 1e9),  # small ones go another way
    sync_bytes=st.floats(1, 1e9),
    kept_bytes=st.floats(1, 1e9),
    num_players=st.integers(1, 22),
    epochs=st.integers(1, 20),
    num_minibatches=st.integers(1, 20),
    sync_interval=st.integers(1, 1000),
)
machines = st.builds(
    Machine,
    cores=st.floats(0.1, 256),
    utilisation=st.floats(0.1, 1),
    num_executors=st.integers(1, 64),
    price=positive,
)
networks = st.builds(
    Network,
    bandwidth=st.floats(1e3, 1e12),
    latency_sec=positive,
    meeting_sec=positive,
    array_sec=positive,
    copy_sec=st.floats(0, 1e-6),
    add_sec=st.floats(0, 1e-6),
)


def grown(num_machines, envs=16, shards=1):
    return Size(num_machines, num_machines * envs, num_machines * shards)


def test_one_machine_is_as_fast_as_its_cores():
    found = cluster_round.predict(WORK, MACHINE, NETWORK, grown(1))
    # 1 ms of stepping, 3 x 0.1 of acting, 3 x 2 x 0.01 of learning.
    assert found.sps == pytest.approx(2 / 1.36e-3)
    assert found.price_per_million == pytest.approx(1e-3 * 1e6 * 1.36e-3 / 2)
    assert found.received_bytes == 0
    assert found.exchange_sec == found.sync_sec == 0
    assert found.limit == "environments"


@given(works, machines, networks)
def test_nothing_is_exchanged_by_one_machine(work, machine, network):
    found = cluster_round.predict(work, machine, network, grown(1))
    assert found == cluster_round.predict(work, machine, FREE, grown(1))
    assert found.efficiency == 1


@given(works, machines, st.integers(1, 1000))
def test_a_free_exchange_makes_machines_add_up(work, machine, num_machines):
    one = cluster_round.predict(work, machine, FREE, grown(1))
    many = cluster_round.predict(work, machine, FREE, grown(num_machines))
    assert many.sps == pytest.approx(num_machines * one.sps)
    assert many.price_per_million == pytest.approx(one.price_per_million)


@given(works, machines, networks, st.integers(1, 100), st.data())
def test_what_is_cheaper_is_never_slower(work, machine, network, num_machines, data):
    size = grown(num_machines)
    slow = cluster_round.predict(work, machine, network, size)
    name = data.draw(st.sampled_from(["bandwidth", *Network._fields[1:]]))
    factor = 2 if name == "bandwidth" else 0.5
    better = network._replace(**{name: factor * getattr(network, name)})
    assert cluster_round.predict(work, machine, better, size).sps >= slow.sps
    part = data.draw(st.sampled_from(Workload._fields[:7]))
    less = work._replace(**{part: 0.5 * getattr(work, part)})
    assert cluster_round.predict(less, machine, network, size).sps >= slow.sps
    more = machine._replace(cores=2 * machine.cores)
    assert cluster_round.predict(work, more, network, size).sps >= slow.sps


@given(works, machines, networks, st.integers(0, 8), st.integers(0, 4))
def test_no_machine_makes_others_faster_than_alone(work, machine, network, m, s):
    size = grown(2**m, shards=2**s)
    found = cluster_round.predict(work, machine, network, size)
    assert found.efficiency <= 1 + 1e-9


@given(st.integers(1, 64), st.integers(1, 8))
def test_a_machine_has_as_much_as_the_busiest(num_machines, further):
    num_shards = num_machines + further
    size = Size(num_machines, 4 * num_shards, num_shards)
    of_each = [
        (n + 1) * num_shards // num_machines - n * num_shards // num_machines
        for n in range(num_machines)
    ]  # see `team.share`
    assert size.shards_here == max(of_each)
    assert size.envs_here == 4 * max(of_each)


@pytest.mark.parametrize(
    ("size", "gradients", "messages"),
    [
        (grown(2), 1, 1),  # the other one's
        (grown(4), 3, 3),
        (grown(4, shards=2), 6, 3),  # two from each, in one array
        (Size(3, 16, 4), 4, 2),  # one machine has two shards, and sends both to two
    ],
)
def test_traffic(size, gradients, messages):
    moved, received = cluster_round.traffic(WORK, size)
    assert moved == pytest.approx(gradients * WORK.gradient_bytes)
    assert received == messages


def test_small_gradients_go_through_the_first_machine():
    small = WORK._replace(gradient_bytes=1000)
    moved, messages = cluster_round.traffic(small, grown(8))
    assert moved == 7 * 8 * 1000
    assert messages == 0
    found = cluster_round.predict(small, MACHINE, NETWORK, grown(8))
    assert found.received_bytes == 8 * 7 * 1000 + 7 * 16 * (1e4 + 1e5)


def test_what_the_first_machine_gets_where_shards_cannot_be_divided():
    """It has one shard of four, and so gets three gradients, and what 12 environments have made."""
    found = cluster_round.predict(WORK, MACHINE, NETWORK, Size(3, 16, 4))
    assert found.received_bytes == 8 * 3 * 1e6 + 12 * (1e4 + 1e5)


def test_sleeping_steps_limit_who_has_nothing_else_to_step():
    sleeping = WORK._replace(sleep_sec=0.1, env_sec=0.0, answer_sec=0.05)
    alone = cluster_round.predict(sleeping, MACHINE._replace(num_executors=16), NETWORK, grown(1))
    assert alone.round_sec == pytest.approx(100 * 0.15)
    # Two environments each: one is answered while the other is stepped.
    two = cluster_round.predict(sleeping, MACHINE._replace(num_executors=8), NETWORK, grown(1))
    assert two.round_sec == pytest.approx(100 * 0.2)
    assert alone.limit == two.limit == "environments"


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"env_sec": 1.0}, "environments"),
        ({"act_sec": 1.0}, "acting"),
        ({"learn_sec": 1.0}, "gradients"),
        ({"gradient_bytes": 1e10}, "exchange"),
        ({"sync_bytes": 1e10}, "exchange"),
        ({"kept_bytes": 1e10}, "exchange"),
    ],
)
def test_limit(changes, limit):
    work = WORK._replace(**changes)
    assert cluster_round.predict(work, MACHINE, NETWORK, grown(4)).limit == limit


def test_rollout_hides_the_exchange_until_it_is_longer():
    def round_sec(bandwidth):
        network = FREE._replace(bandwidth=bandwidth)
        work = WORK._replace(sync_bytes=0.0, kept_bytes=0.0)
        return cluster_round.predict(work, MACHINE, network, grown(2)).round_sec

    hidden = round_sec(math.inf)
    assert round_sec(1e8) == hidden  # 8 gradients of 10 ms, in 1.09 s
    learning = 16 * 100 * 3 * 2 * WORK.learn_sec
    assert round_sec(1e6) == pytest.approx(8.0 + learning)
