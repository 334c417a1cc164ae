"""Choices as words.

`StrEnum` is what `enum.StrEnum` is from Python 3.11 on.
"""

from __future__ import annotations

from enum import Enum


class StrEnum(str, Enum):  # noqa: UP042 (there is none in Python 3.10)
    """A member is its word, in JSON and in sentences, too."""

    def __str__(self) -> str:
        return str(self.value)


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
