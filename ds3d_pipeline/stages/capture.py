"""The card of the stage `capture`."""

from __future__ import annotations

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.report import CaptureReport
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.stage import Gate, Stage, Verdict
from ds3d_pipeline.storage.bundles import StageReport


def _whole(report: StageReport) -> Verdict:
    cut_off = report.read(CaptureReport).cut_off
    text = " ".join(cut_off) or "All files are whole."
    return Verdict(passed=not cut_off, text=text, numbers={"cut_off": len(cut_off)})


CARD = Stage(
    name="capture",
    label="Upload",
    about="The video or photos, checked, with camera and time from their files.",
    options=CaptureOptions,
    report=CaptureReport,
    code_version="1",
    rungs=(
        Rung(
            name="local",
            module="ds3d_pipeline.capture",
            label="reading the files",
            summary="checks and copies the upload",
        ),
    ),
    gates=(Gate(name="whole_files", about="No file is cut off.", judge=_whole),),
    kinds=("video", "photos"),
)
