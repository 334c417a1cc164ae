"""How many threads the kernels may use."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def allowed_threads(cgroup: Path = _CGROUP) -> int:
    """`NUMBA_NUM_THREADS` if set, else the CPUs of this process' affinity and of its container's limit."""
    asked = os.environ.get("NUMBA_NUM_THREADS")
    if asked:
        return max(int(asked), 1)
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(affine, _cgroup_cpus(cgroup) or affine), 1)


def use_allowed_threads() -> int:
    """Makes this thread's kernels use `allowed_threads`, at most as many as Numba started with."""
    import numba

    threads = min(allowed_threads(), numba.get_num_threads())
    numba.set_num_threads(threads)
    return threads


def _cgroup_cpus(cgroup: Path) -> int | None:
    """The limit of control groups version 2 or 1, rounded up to whole CPUs; None where there is none."""
    modern = _numbers(cgroup / "cpu.max")
    if modern is None:
        quota, period = _numbers(cgroup / "cpu/cpu.cfs_quota_us"), _numbers(cgroup / "cpu/cpu.cfs_period_us")
        modern = [*quota, *period] if quota and period else None
    if modern is None or len(modern) != 2 or modern[0] <= 0 or modern[1] <= 0:
        return None
    return -(-modern[0] // modern[1])


def _numbers(path: Path) -> list[int] | None:
    """The whole numbers in a file; None where it is missing or says anything else, such as `max`."""
    try:
        return [int(word) for word in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        return None
