"""A texture for a mesh from the photos that see it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.mesh.adjacency import neighbour_pairs
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.report import TextureReport
from ds3d_pipeline.mesh.texture.atlas import lay_out, with_uvs
from ds3d_pipeline.mesh.texture.bake import bake
from ds3d_pipeline.mesh.texture.charts import chart_labels, projections
from ds3d_pipeline.mesh.texture.exposure import exposure_gains, sharpness, spread
from ds3d_pipeline.mesh.texture.view_quality import measure_view_quality, robust_weights
from ds3d_pipeline.scene import Mesh, View

log = logging.getLogger(__name__)


def textured(
    mesh: Mesh,
    views: Sequence[View],
    photos: Path,
    options: MeshOptions,
    report: Callable[[float, str], None] = lambda *_: None,
) -> tuple[Mesh, TextureReport]:
    """The mesh with texture coordinates and a square texture from the photos in a folder.

    Raises StageError where no photo sees the mesh or one cannot be read, ValueError where a texture of that
    size cannot hold all charts.
    """
    found = measure_view_quality(
        mesh, views, photos, options.view_quality, lambda f: report(0.3 * f, "rating photos")
    )
    gains = exposure_gains(found.quality, found.colors)
    sharp = sharpness(found.quality, found.detail)
    log.info("gains %s, sharpness %s", np.round(gains, 3).tolist(), np.round(sharp, 2).tolist())
    quality = found.quality * sharp[:, None].astype(np.float32) ** 2
    weights, colors = robust_weights(quality, found.colors, gains)
    seen = np.asarray((quality > 0).any(axis=0))
    if not seen.any():
        raise StageError("No photo sees any part of the surface.", "Photograph the scene again.")
    vertex_colors = spread(mesh, colors, seen)
    report(0.35, "cutting texture charts")
    pairs, ways = neighbour_pairs(mesh.faces), projections(mesh, views)
    side = _power_of_two(options.texture_px)
    atlas = lay_out(mesh, chart_labels(mesh, quality, ways, pairs), ways, pairs, side)
    texture, shown = bake(
        mesh,
        atlas,
        views,
        photos,
        found.visibility_maps,
        weights,
        gains,
        vertex_colors,
        options.bake,
        lambda f: report(0.5 + 0.5 * f, "blending photos"),
    )
    measured = TextureReport(
        charts=int(atlas.charts.max()) + 1,
        scale=round(atlas.scale, 4),
        filled=round(atlas.filled, 4),
        shown=round(shown, 4),
        gains=(round(float(gains.min()), 4), round(float(gains.max()), 4)),
    )
    return replace(with_uvs(mesh, atlas), texture=texture), measured


def _power_of_two(most: int) -> int:
    """The largest up to `most`: each level of `push_pull` halves the side."""
    return 1 << (most.bit_length() - 1)
