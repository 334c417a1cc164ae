"""Filling the holes of stereo as the last part of the depth program."""

from __future__ import annotations

import logging
import shutil
from typing import Any

from ds3d_pipeline.depth.holes import HoleFilling
from ds3d_pipeline.depth.models import can_estimate, usable_model
from ds3d_pipeline.depth.monocular import Monocular
from ds3d_pipeline.depth.network import DepthNetwork
from ds3d_pipeline.depth.previews import PREVIEWS, write_preview
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_map
from ds3d_pipeline.options import DepthOptions
from ds3d_pipeline.program import Work
from ds3d_pipeline.runners import clear_folder
from ds3d_pipeline.scene import Reconstruction

STEREO_SHARE = 0.8
"""Of the whole time, for the progress, where holes are filled after it."""
log = logging.getLogger(__name__)


def fill_holes(work: Work[DepthOptions], model: Reconstruction) -> dict[str, Any]:
    """Fills the maps in OUTPUT; returns which share of all pixels is now known, and which estimated.

    Filling is an extra: where no model can do it, the maps stay as stereo left them, and `not_filled` says
    why.
    """
    reason = can_estimate(work.options)
    if reason is None:
        try:
            return _filled(work, model)
        except StageError as error:
            reason = str(error)
    log.warning("holes are not filled: %s", reason)
    return {"estimated": 0.0, "not_filled": reason}


def _filled(work: Work[DepthOptions], model: Reconstruction) -> dict[str, Any]:
    file = usable_model(work.options)
    network = DepthNetwork(file, work.options)
    filling = HoleFilling(
        monocular=Monocular(network=network, model=model, images=work.input / "images", options=work.options),
        maps=work.output,
        scratch=clear_folder(work.output / "estimates"),
        source_views=work.options.source_views,
    )
    try:
        shares = filling.fill(work.progress.part(STEREO_SHARE, 1.0))
    finally:
        shutil.rmtree(filling.scratch)
    shown = model.views[:: max(1, len(model.views) // PREVIEWS)][:PREVIEWS]
    write_preview(
        [read_depth_map(work.output, view) for view in shown],
        work.input / "images",
        work.output / "preview.jpg",
    )
    aligned = len(filling.monocular.alignments)
    return {**shares, "model": file.name, "provider": network.provider, "aligned": aligned}
