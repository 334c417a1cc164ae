"""The card of the stage `capture`."""

from __future__ import annotations

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.report import CaptureReport
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.stage import Stage

CARD = Stage(
    name="capture",
    label="Capture",
    about="The user's video or photos, checked, with what their files tell of camera and time.",
    options=CaptureOptions,
    report=CaptureReport,
    code_version="1",
    rungs=(Rung(name="local", module="ds3d_pipeline.capture", summary="checks and stages the upload"),),
    kinds=("video", "photos"),
)
