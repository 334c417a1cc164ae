"""Every capture is a partition."""

import re

import dagster as dg

captures = dg.DynamicPartitionsDefinition(name="captures")

_KEY = re.compile(r"[a-z0-9._-]{1,57}")


def check_capture_key(key: str) -> str:
    """The key itself; raises ValueError where it could not be a folder's name everywhere."""
    if not _KEY.fullmatch(key) or not key.strip("."):
        raise ValueError(f"{key!r} cannot name a capture: use 1 to 48 of a-z 0-9 . _ - (not only dots).")
    return key
