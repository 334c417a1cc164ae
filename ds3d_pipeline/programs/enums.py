"""Choices as words."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of an attempt."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    """The program said why."""
    CRASHED = "crashed"
    """It did not."""
    INPUT = "input"
    """The user's input is unusable, so that no backend can help."""
    CANCELLED = "cancelled"
    PASSED_OVER = "passed over"
    """It cannot run on this machine."""
    CLAMPED = "clamped"
    """Memory is short: the outcome of its run at a smaller size follows."""
