"""Choices as words."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The result of an attempt."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    """The program reported why."""
    CRASHED = "crashed"
    """It did not."""
    INPUT = "input"
    """The user's input is unusable, so that no backend can help."""
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """It cannot run on this machine."""
    CLAMPED = "clamped"
    """Memory is short: the outcome of its run at a smaller size follows."""

    @classmethod
    def _missing_(cls, value: object) -> Outcome | None:
        """Version 0.1.0 wrote `passed over` for `skipped`."""
        return cls.SKIPPED if value == "passed over" else None
