"""`ds3d models`: the learned depth model that a machine without stereo falls back on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ds3d_pipeline.depth.models import fetch_model, wanted_model
from ds3d_pipeline.modes import DEFAULT_MODE, MODES
from ds3d_pipeline.terminal.wishes import read_config


def fetch(config: Path | None) -> Path:
    """Downloads and checks the model that the config names, or the default one, and returns its file.

    Raises StageError where that fails, InputError for an unusable config.
    """
    table = read_config(config).get("depth_maps", {})
    options = dataclasses.replace(MODES[DEFAULT_MODE].depth_maps, **table)
    return fetch_model(wanted_model(options))
