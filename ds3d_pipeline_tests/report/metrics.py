"""Metrics of a capture that never was."""

from ds3d_pipeline.metrics.record import Metrics, read_metrics

NOTHING = {
    "schema_version": 1,
    "capture": "none",
    "mode": "balanced",
    "status": "ok",
    "reasons": [],
    "seed": 0,
    "versions": {},
    "stages": {},
    "poses": {},
    "depth": {},
    "pointcloud": {},
    "mesh": {},
    "splat": {},
    "scale": "arbitrary",
    "files": {},
    "total_seconds": 0.0,
    "input": None,
    "keyframes": [],
}


def make_metrics(**changed) -> Metrics:
    """The record of an empty `metrics.json` with changes."""
    return read_metrics({**NOTHING, **changed})
