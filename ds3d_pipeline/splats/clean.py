"""What is left out of a finished splat: Gaussians that show nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.inputs import Photo
from ds3d_pipeline.splats.layout import LOGIT
from ds3d_pipeline.splats.projection import FLAT_SIZE, MIN_ALPHA, RX, project
from ds3d_pipeline.splats.scores import photo_camera


def clean(rows: Float32, photos: Sequence[Photo]) -> tuple[Float32, dict[str, int]]:
    """Rows without those that are broken, too transparent to draw or outside all photos; their counts."""
    finite = np.isfinite(rows).all(axis=1)
    opaque = rows[:, LOGIT] > np.log(MIN_ALPHA / (1 - MIN_ALPHA))
    seen = np.zeros(len(rows), bool)
    flat = np.empty((len(rows), FLAT_SIZE), np.float32)
    for photo in photos:
        project(rows, photo_camera(photo), 0, flat)
        seen |= flat[:, RX] > 0
    keep = finite & opaque & seen
    removed = {
        "not_finite": int((~finite).sum()),
        "transparent": int((finite & ~opaque).sum()),
        "unseen": int((finite & opaque & ~seen).sum()),
    }
    return rows[keep], removed
