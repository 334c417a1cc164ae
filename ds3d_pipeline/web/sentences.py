"""What the server says to others, without where things are on its disk."""

from __future__ import annotations

import dataclasses
import re

from ds3d_pipeline.storage.home import Home, outputs_folder
from ds3d_pipeline.web.status import Fallback, JobStatus, StageStatus


def without_paths(text: str, home: Home) -> str:
    """The sentence without paths of the server's own folders."""
    for root in (home.root, outputs_folder(home)):
        text = re.sub(re.escape(str(root)) + r"(/[^\s'\":]*[^\s'\":.])?", "the server's disk", text)
    return text


def shown_status(status: JobStatus, home: Home) -> JobStatus:
    """A status whose sentences may be shown to anybody."""
    return dataclasses.replace(
        status,
        reasons=tuple(without_paths(reason, home) for reason in status.reasons),
        message=without_paths(status.message, home),
        stages=tuple(_shown_stage(stage, home) for stage in status.stages),
    )


def _shown_stage(stage: StageStatus, home: Home) -> StageStatus:
    fallbacks = tuple(_shown_fallback(fallback, home) for fallback in stage.fallbacks)
    return dataclasses.replace(stage, message=without_paths(stage.message, home), fallbacks=fallbacks)


def _shown_fallback(fallback: Fallback, home: Home) -> Fallback:
    return dataclasses.replace(fallback, reason=without_paths(fallback.reason, home))
