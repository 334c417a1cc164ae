"""What this process may use of the machine: the CPUs and the memory that affinity and containers leave it.

Control groups nest, and a limit anywhere on the way from the process' own group up to the root counts, so
every group on that way is read, of version 2 (`cpu.max`, `memory.max`) and of version 1 (`cpu.cfs_quota_us`,
`memory.limit_in_bytes`). Source: the Linux kernel's admin-guide, cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_NO_LIMIT = 1 << 62
"""Version 1 writes about this many bytes where there is no limit."""


@dataclass(frozen=True, kw_only=True)
class ControlGroups:
    """Where the kernel lists the groups of this process."""

    mount: Path = Path("/sys/fs/cgroup")
    membership: Path = Path("/proc/self/cgroup")

    def folders(self, controller: str) -> Iterator[Path]:
        """Every group of this process from its own up to the root that `controller` may be limited in."""
        for listed, path in self._memberships():
            if controller in listed:
                yield from _upwards(self.mount / controller, path)
            elif not listed:
                yield from _upwards(self.mount, path)

    def _memberships(self) -> Iterator[tuple[list[str], str]]:
        """Controllers (none for version 2) and the group's path; the roots if the kernel lists nothing."""
        try:
            lines = self.membership.read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = ["0::/", "1:cpu,memory:/"]
        for line in lines:
            _, controllers, path = line.split(":", 2)
            yield [name for name in controllers.split(",") if name], path


HERE = ControlGroups()


def allowed_cpus(groups: ControlGroups = HERE) -> int:
    """Those of this process' affinity, at most the least quota of its groups, rounded up; at least 1."""
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in groups.folders("cpu") if (quota := _cpu_quota(folder)) is not None]
    return max(1, min([affine, *quotas]))


def allowed_memory_bytes(groups: ControlGroups = HERE) -> float:
    """The memory of the machine, or the least limit of this process' groups where that is less."""
    import psutil

    limits = [limit for folder in groups.folders("memory") if (limit := _memory_limit(folder)) is not None]
    return min([float(psutil.virtual_memory().total), *limits])


def free_memory_bytes(groups: ControlGroups = HERE) -> float:
    """What can still be taken: of the machine, and of every group of this process that is limited."""
    import psutil

    return min(float(psutil.virtual_memory().available), free_in_groups(groups))


def free_in_groups(groups: ControlGroups = HERE) -> float:
    """Bytes until the first limit of this process' groups is reached; infinite without any limit."""
    return min((_free_in(folder) for folder in groups.folders("memory")), default=math.inf)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """The folders from `root` / `path` up to `root`.

    Inside a container the path may be that of the host, which is not there, or begin with `..`.
    """
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:depth])


def _cpu_quota(folder: Path) -> int | None:
    """The whole CPUs that a group may keep busy, rounded up; None where it has no limit."""
    words = _words(folder / "cpu.max") or [
        *_words(folder / "cpu.cfs_quota_us"),
        *_words(folder / "cpu.cfs_period_us"),
    ]
    quota, period = (_number(word) for word in words) if len(words) == 2 else (None, None)
    return None if quota is None or period is None or quota <= 0 or period <= 0 else -(-quota // period)


def _memory_limit(folder: Path) -> int | None:
    """Bytes; None where the group has no limit."""
    words = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
    limit = _number(words[0]) if words else None
    return None if limit is None or limit >= _NO_LIMIT else limit


def _free_in(folder: Path) -> float:
    """Bytes until a group's limit; file pages that the kernel can drop count as free."""
    limit = _memory_limit(folder)
    used = _words(folder / "memory.current") or _words(folder / "memory.usage_in_bytes")
    if limit is None or not used:
        return math.inf
    return max(0.0, float(limit - int(used[0]) + _droppable(folder)))


def _droppable(folder: Path) -> int:
    """Bytes of file pages of the group and the groups below it that are not in active use.

    Version 1 counts those of the groups below under `total_inactive_file` only.
    """
    words = _words(folder / "memory.stat")
    stat = dict(zip(words[::2], words[1::2], strict=True))
    return int(stat.get("total_inactive_file", stat.get("inactive_file", "0")))


def _words(path: Path) -> list[str]:
    """The words of a file; none where it is missing or not ours to read."""
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def _number(word: str) -> int | None:
    """A number; None for the word `max`, which means no limit."""
    return None if word == "max" else int(word)
