"""Notifications: a capture that finished away from the command line, and an upload that was rejected.

Those of failed runs are sent by `failed_captures`, which knows why they failed.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from upath import UPath

from ds3d_pipeline.defs.runs import COMMAND_LINE_TAG, PARTITION_TAG
from ds3d_pipeline.execution.notifying import Note, addresses, send
from ds3d_pipeline.intake.watched.entries import REJECTED, uploads_folder
from ds3d_pipeline.storage.bundles import current_version
from ds3d_pipeline.storage.home import Home, prepare_home
from ds3d_pipeline.storage.inventory import latest_metrics
from ds3d_pipeline.storage.published import published_folders

EVERY_S = 30
NOBODY = "DS3D_NOTIFY is not set."


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=EVERY_S,
    description="Sends a notification of each finished capture to the addresses in DS3D_NOTIFY.",
)
def notify_finished(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    """One look at one run."""
    run, home = context.dagster_run, prepare_home()
    capture = run.tags.get(PARTITION_TAG)
    if capture is None or not addresses():
        return dg.SkipReason(NOBODY if capture else "The run had no capture.")
    if run.tags.get(COMMAND_LINE_TAG) == run.run_id:
        return dg.SkipReason("The command line shows the end of its own runs.")
    content = latest_metrics(home, capture)
    if content is None:
        return dg.SkipReason("Nothing of this capture is finished.")
    folders = published_folders(home, capture)
    context.log.info(send(note_of(home, capture, content, folders[-1] if folders else None)))
    return None


def note_of(home: Home, capture: str, content: Mapping[str, Any], folder: Path | None) -> Note:
    """The note about a capture with this `metrics.json`, whose files are in `folder`."""
    reasons = content["reasons"]
    return Note(
        capture=capture,
        status=str(content["status"]),
        reason=str(reasons[0]) if reasons else "",
        folder=folder,
        picture=_picture(home, capture),
    )


def _picture(home: Home, capture: str) -> Path | None:
    """The mesh, seen from around; None where there is none on a disk of this machine."""
    place = Path(home.storage) / "mesh" / capture
    version = current_version(UPath(place)) if place.is_dir() else None
    return place / version / "preview.jpg" if version else None


@dg.sensor(
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends a notification of each upload of the watched folder that was rejected.",
)
def notify_rejected(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Those since the last tick; the first one only takes down the time."""
    now = time.time()
    since = float(context.cursor) if context.cursor else now
    found = [] if not addresses() else rejected_since(prepare_home(), since)
    for note in found:
        context.log.info(send(note))
    text = f"Rejected: {', '.join(note.capture for note in found)}." if found else "Nothing was rejected."
    return dg.SensorResult(skip_reason=text, cursor=str(now))


def rejected_since(home: Home, since: float) -> list[Note]:
    """What was rejected after `since`, in seconds since 1970, by name."""
    texts = sorted((uploads_folder(home) / REJECTED).glob("*.txt"))
    return [
        Note(capture=path.stem, status="rejected", reason=path.read_text(encoding="utf-8").strip())
        for path in texts
        if path.stat().st_mtime > since
    ]
