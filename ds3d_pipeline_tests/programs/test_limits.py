"""CPUs and memory are those that affinity and every control group on the way up leave."""

import math
import os
import subprocess
import sys

import psutil
import pytest

from ds3d_pipeline.programs.limits import (
    ControlGroups,
    allowed_cpus,
    allowed_memory_bytes,
    free_in_groups,
    free_memory_bytes,
)

MINE = len(os.sched_getaffinity(0))


@pytest.fixture
def groups(tmp_path):
    (tmp_path / "sys").mkdir()
    (tmp_path / "cgroup").write_text("0::/\n")
    return ControlGroups(mount=tmp_path / "sys", membership=tmp_path / "cgroup")


@pytest.fixture
def many_cpus(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("limit", "cpus"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("max 100000", 8),
        ("50000 100000", 1),
        ("900000 100000", 8),
    ],
)
def test_a_quota_of_version_2_counts_in_whole_cpus(groups, many_cpus, limit, cpus):
    write(groups.mount, cpu__max=limit)
    assert allowed_cpus(groups) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [(300_000, 3), (250_000, 3), (1000, 1), (-1, 8)])
def test_a_quota_of_version_1_counts_in_whole_cpus(groups, many_cpus, quota, cpus):
    groups.membership.write_text("4:cpu,cpuacct:/\n0::/\n")
    write(groups.mount / "cpu", cpu__cfs_quota_us=quota, cpu__cfs_period_us=100_000)
    assert allowed_cpus(groups) == cpus


def test_the_least_quota_on_the_way_up_counts(groups, many_cpus):
    groups.membership.write_text("0::/user.slice/build.scope\n")
    write(groups.mount / "user.slice/build.scope", cpu__max="max 100000")
    write(groups.mount / "user.slice", cpu__max="300000 100000")
    write(groups.mount, cpu__max="500000 100000")
    assert allowed_cpus(groups) == 3


def test_groups_of_others_do_not_count(groups, many_cpus):
    groups.membership.write_text("0::/mine\n3:cpu:/mine\n")
    write(groups.mount / "other", cpu__max="100000 100000")
    write(groups.mount / "cpu/other", cpu__cfs_quota_us=100_000, cpu__cfs_period_us=100_000)
    assert allowed_cpus(groups) == 8


def test_inside_a_container_the_hosts_path_leads_to_the_root(groups, many_cpus):
    groups.membership.write_text("5:cpu:/docker/0123\n0::/../..\n")
    write(groups.mount / "cpu", cpu__cfs_quota_us=200_000, cpu__cfs_period_us=100_000)
    assert allowed_cpus(groups) == 2


def test_without_word_of_groups_the_roots_count(groups, many_cpus):
    groups.membership.unlink()
    assert allowed_cpus(groups) == 8
    write(groups.mount, cpu__max="200000 100000", memory__max=1000, memory__current=400)
    assert (allowed_cpus(groups), free_in_groups(groups)) == (2, 600)


def test_the_affinity_of_a_process_counts():
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from ds3d_pipeline.programs.limits import allowed_cpus; print(allowed_cpus())"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "1\n"
    assert 1 <= allowed_cpus() <= MINE


def test_memory_of_version_2_is_free_up_to_the_limit_with_file_pages_that_can_go(groups):
    write(groups.mount, memory__max=3_000, memory__current=1_000, memory__stat="anon 5\ninactive_file 400")
    assert free_in_groups(groups) == 2_400


@pytest.mark.fault("control group of version 1")
def test_memory_of_version_1_counts_pages_of_the_groups_below(groups):
    groups.membership.write_text("7:memory:/a\n0::/\n")
    write(
        groups.mount / "memory/a",
        memory__limit_in_bytes=3_000,
        memory__usage_in_bytes=1_000,
        memory__stat="inactive_file 1\ntotal_inactive_file 300",
    )
    assert free_in_groups(groups) == 2_300


@pytest.mark.fault("control group of version 1")
def test_the_tightest_group_on_the_way_up_decides(groups):
    groups.membership.write_text("0::/a/b\n")
    write(groups.mount / "a/b", memory__max="max", memory__current=10)
    write(groups.mount / "a", memory__max=5_000, memory__current=4_500)
    write(groups.mount, memory__max=6_000, memory__current=4_600)
    assert free_in_groups(groups) == 500
    assert allowed_memory_bytes(groups) == 5_000


def test_a_group_over_its_limit_has_nothing_free(groups):
    write(groups.mount, memory__max=1_000, memory__current=1_200)
    assert free_memory_bytes(groups) == 0


@pytest.mark.parametrize("limit", ["max", 9_223_372_036_854_771_712])
def test_without_a_limit_the_machine_decides(groups, limit):
    groups.membership.write_text("7:memory:/\n0::/\n")
    write(groups.mount / "memory", memory__limit_in_bytes=limit, memory__usage_in_bytes=5)
    write(groups.mount, memory__max=limit, memory__current=5)
    assert free_in_groups(groups) == math.inf
    assert allowed_memory_bytes(groups) == psutil.virtual_memory().total
    assert 0 < free_memory_bytes(groups) <= psutil.virtual_memory().total
