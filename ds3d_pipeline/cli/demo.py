"""`ds3d demo`: a synthetic capture, and how far its reconstruction is from the truth."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from ds3d_pipeline.cli.output import console
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.metrics.record import Metrics
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.scene import Keyframe, Keyframes
from ds3d_pipeline.storage.home import prepare_home

CAPTURE_FOLDER = "demo"


def make_demo(frames: int) -> Path:
    """Photographs the synthetic scene into the home and returns the photos' folder."""
    from ds3d_pipeline.synthetic.capture import make_capture
    from ds3d_pipeline.synthetic.options import SyntheticOptions

    if frames < 3:
        raise InputError(f"--frames {frames} is too few.", "Use at least 3.")
    # Photos of an earlier demo with more frames must not take part.
    folder = clear_folder(prepare_home().root / CAPTURE_FOLDER)
    start = time.monotonic()
    truth = make_capture(folder, SyntheticOptions(frames=frames))
    console(stderr=True).print(f"rendered {frames} synthetic photos in {time.monotonic() - start:.1f} s")
    return folder / truth.input


def measure_errors(finished: Path) -> dict[str, Any]:
    """Errors of the finished demo capture against its exact truth; lengths in metres of the scene."""
    from ds3d_pipeline.api import open_capture
    from ds3d_pipeline.evaluation.accuracy import pose_accuracy, surface_accuracy, true_poses
    from ds3d_pipeline.synthetic.truth import load_truth

    capture = open_capture(finished)
    truth = load_truth(prepare_home().root / CAPTURE_FOLDER)
    poses, truth_from_world = pose_accuracy(capture.sparse, true_poses(_keyframes(capture.metrics), truth))
    surface = surface_accuracy(capture.mesh, truth_from_world, truth)
    return {"poses": dataclasses.asdict(poses), "mesh": dataclasses.asdict(surface)}


def _keyframes(metrics: Metrics) -> Keyframes:
    """The photos that became keyframes; raises StageError if the metrics do not contain the upload."""
    if metrics.input is None:
        raise StageError("The metrics of the demo do not contain its input.", "Run `ds3d demo` again.")
    frames = tuple(
        Keyframe(
            image=frame.image,
            source=frame.source,
            timestamp_s=frame.timestamp_s,
            sharpness=frame.sharpness,
            size_wh=metrics.input.size,
            camera=0,
        )
        for frame in metrics.keyframes
    )
    return Keyframes(kind="photos", frames=frames, considered=len(frames))


def print_errors(finished: Path, *, as_json: bool) -> None:
    """Prints the errors."""
    errors = measure_errors(finished)
    screen = console()
    if as_json:
        screen.file.write(json.dumps({"event": "errors", **errors}) + "\n")
        return
    poses, mesh = errors["poses"], errors["mesh"]
    table = Table(box=None, pad_edge=False, title="against the truth", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_row("photos aligned", f"{poses['registered']} of {poses['total']}")
    table.add_row("camera centre error, mean", f"{1000 * poses['centre_error_mean']:.2f} mm")
    table.add_row("camera centre error, largest", f"{1000 * poses['centre_error_max']:.2f} mm")
    table.add_row("rotation error, mean", f"{poses['rotation_error_mean_deg']:.3f} deg")
    table.add_row("mesh Chamfer distance", f"{1000 * mesh['chamfer']:.1f} mm")
    screen.print(table)
