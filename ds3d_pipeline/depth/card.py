"""Without any depth: the photo on a flat rectangle, parallel to its image plane."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.depth.stereo.pyramid import map_size
from ds3d_pipeline.geometry.cameras import K_scaled, project
from ds3d_pipeline.scene import DepthMap, Reconstruction, View

DISTANCE = 1.0
"""Scene units, where nothing measures it."""
CONFIDENCE = 0.05
"""Not nothing, since 0 means unknown; as little as can be, since it is no measurement."""


def best_view(model: Reconstruction) -> View:
    """The view that sees the most sparse points, the first of equals."""
    return max(model.views, key=lambda view: len(view.point_ids))


def distance_of(view: View, model: Reconstruction) -> float:
    """Distance of the card from its camera, scene units."""
    _, depth = project(view.K, view.cam_from_world, model.points_in_world[view.point_ids])
    before = depth[depth > 0]
    return float(np.median(before)) if len(before) else DISTANCE


def card_map(view: View, model: Reconstruction, max_side_px: int) -> DepthMap:
    """One depth for every pixel: the median of the points that the view sees, if there are any."""
    width, height = map_size(view, max_side_px)
    normals = np.zeros((height, width, 3), np.float32)
    normals[..., 2] = -1
    return DepthMap(
        image=view.image,
        depth=np.full((height, width), distance_of(view, model), np.float32),
        normals=normals,
        confidence=np.full((height, width), CONFIDENCE, np.float32),
        K=K_scaled(view.K, (width / view.image_size_wh[0], height / view.image_size_wh[1])),
    )
