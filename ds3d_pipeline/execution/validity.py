"""Whether the files that a stage made can be read back, and hold what they must."""

from __future__ import annotations

from pathlib import Path

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.stages.table import STAGE_CARDS

MOST = 3
"""Faults that are reported of one stage."""


def find_faults(stage: str, folder: Path) -> tuple[str, ...]:
    """What is wrong with a stage's files, at most three sentences; none for a stage without a check."""
    check = STAGE_CARDS[stage].check_files
    if check is None:
        return ()
    found: list[str] = []
    try:
        for fault in check(folder):
            found.append(fault)
            if len(found) == MOST:
                break
    except (StageError, OSError, ValueError) as error:
        found.append(str(error))
    return tuple(found)
