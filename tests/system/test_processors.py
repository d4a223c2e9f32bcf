import os

import pytest

from hts_tf.system.processors import usable_cores
from tests.system.linux_files import write


@pytest.fixture(autouse=True)
def affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_affinity_counts(tmp_path, monkeypatch):
    assert usable_cores(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert usable_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("300000 100000", 3), ("250000 100000", 3), ("1000 100000", 1)],
)
def test_version_2(tmp_path, quota, cores):
    write(tmp_path / "proc/self/cgroup", "0::/a/b\n")
    write(tmp_path / "sys/fs/cgroup/a/b/cpu.max", "max 100000\n")
    write(tmp_path / "sys/fs/cgroup/a/cpu.max", f"{quota}\n")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [(-1, 8), (150_000, 2), (1_600_000, 8)])
def test_version_1_in_a_container_that_sees_the_path_of_its_host(tmp_path, quota, cores):
    write(tmp_path / "proc/self/cgroup", "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n")
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", f"{quota}\n")
    write(tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert usable_cores(tmp_path) == cores
