"""Identifies one start of the machine."""

from __future__ import annotations

from pathlib import Path


def boot_id() -> str:
    """Differs after every start of the machine; empty where the system has none."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text().strip() if boot.exists() else ""
