"""`ds3d models`: the learned depth model that a machine without stereo falls back on."""

from __future__ import annotations

from pathlib import Path

from ds3d_pipeline.depth.learned.models import fetch_model, wanted_model
from ds3d_pipeline.intake.settings import read_config
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.stages.modes import MODES


def fetch(config: Path | None) -> Path:
    """Downloads and checks the model that the config names, or the default one, and returns its file.

    Raises StageError where that fails, InputError for an unusable config.
    """
    table = read_config(config).get("depth_maps", {})
    return fetch_model(wanted_model(MODES[DEFAULT_MODE].options_with("depth_maps", table)))
