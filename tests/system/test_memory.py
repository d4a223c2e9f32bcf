from pathlib import Path

import pytest

from hts_tf.system.memory import memory_available_bytes
from tests.system.linux_files import write

AVAILABLE = 8000 * 1024  # bytes, of the machine


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:  8000 kB\nHugePages: 0\n")
    return tmp_path


def write_v2(group: Path, limit: str, use: int, cache: int) -> None:
    write(group / "memory.max", f"{limit}\n")
    write(group / "memory.current", f"{use}\n")
    write(group / "memory.stat", f"anon 7\ninactive_file {cache}\n")


def write_v1(group: Path, limit: int, use: int, cache: int) -> None:
    write(group / "memory.limit_in_bytes", f"{limit}\n")
    write(group / "memory.usage_in_bytes", f"{use}\n")
    write(group / "memory.stat", f"inactive_file 1\ntotal_inactive_file {cache}\n")


def test_this_machine():
    assert memory_available_bytes() > 0


def test_without_control_groups(root):
    assert memory_available_bytes(root) == AVAILABLE


def test_version_2_counts_page_cache_as_unused(root):
    write(root / "proc/self/cgroup", "0::/a/b\n")
    write_v2(root / "sys/fs/cgroup/a/b", "1000", use=700, cache=200)
    assert memory_available_bytes(root) == 500


def test_version_2_without_a_limit(root):
    write(root / "proc/self/cgroup", "0::/a\n")
    write_v2(root / "sys/fs/cgroup/a", "max", use=700, cache=200)
    assert memory_available_bytes(root) == AVAILABLE


def test_an_ancestor_limits_too(root):
    write(root / "proc/self/cgroup", "0::/a/b\n")
    write_v2(root / "sys/fs/cgroup/a/b", "1000", use=0, cache=0)
    write_v2(root / "sys/fs/cgroup/a", "900", use=600, cache=0)
    assert memory_available_bytes(root) == 300


def test_version_1(root):
    write(root / "proc/self/cgroup", "5:cpu:/a\n4:memory:/a\n0::/\n")
    write_v1(root / "sys/fs/cgroup/memory/a", 1000, use=700, cache=50)
    write_v1(root / "sys/fs/cgroup/memory", 2**63 - 4096, use=900, cache=0)
    assert memory_available_bytes(root) == 350


def test_version_1_in_a_container_that_sees_the_path_of_its_host(root):
    write(root / "proc/self/cgroup", "4:memory:/docker/0123\n")
    write_v1(root / "sys/fs/cgroup/memory", 1000, use=100, cache=0)
    assert memory_available_bytes(root) == 900


def test_use_beyond_the_limit_leaves_nothing(root):
    write(root / "proc/self/cgroup", "0::/\n")
    write_v2(root / "sys/fs/cgroup", "1000", use=1200, cache=0)
    assert memory_available_bytes(root) == 0
