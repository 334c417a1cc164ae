"""Threads follow the environment and the container."""

import pytest

from ds3d_pipeline.programs.threads import allowed_threads


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "threads"), [("200000 100000", 2), ("150000 100000", 2), ("max 100000", 8), ("50000 100000", 1)]
)
def test_the_container_limit_counts(cgroup, limit, threads):
    (cgroup / "cpu.max").write_text(limit + "\n")
    assert allowed_threads(cgroup) == threads


def test_the_older_control_groups_count(cgroup):
    (cgroup / "cpu").mkdir()
    (cgroup / "cpu/cpu.cfs_quota_us").write_text("300000\n")
    (cgroup / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert allowed_threads(cgroup) == 3
    (cgroup / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert allowed_threads(cgroup) == 8


def test_the_environment_comes_first(cgroup, monkeypatch):
    (cgroup / "cpu.max").write_text("200000 100000\n")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "5")
    assert allowed_threads(cgroup) == 5
