"""Fewer faces at the least error: quadric edge collapse (Garland and Heckbert 1997), open borders kept."""

from __future__ import annotations

import logging

import numpy as np

from ds3d_pipeline.mesh.surface.components import sound_faces
from ds3d_pipeline.scene import Mesh

AGGRESSION = (5.0, 7.0, 10.0)
"""Tried in this order: the more aggressive, the sooner a threshold lets an edge go, at some loss of shape."""
log = logging.getLogger(__name__)


def decimate(mesh: Mesh, max_faces: int) -> Mesh:
    """At most `max_faces` faces, sound ones; colours and texture coordinates are dropped.

    Raises ValueError where the budget cannot be met, which takes a budget below what open borders need.
    """
    import fast_simplification

    if len(mesh.faces) <= max_faces:
        return sound_faces(mesh)
    reduced = mesh
    for aggression in AGGRESSION:
        vertices, faces, *_ = fast_simplification.simplify(
            reduced.vertices_in_world.astype(np.float64),
            reduced.faces,
            target_count=max_faces,
            agg=aggression,
        )
        reduced = sound_faces(
            Mesh(vertices_in_world=vertices.astype(np.float32), faces=faces.astype(np.int32))
        )
        log.info("%d faces left at aggression %g", len(reduced.faces), aggression)
        if len(reduced.faces) <= max_faces:
            return reduced
    raise ValueError(f"{len(reduced.faces)} faces are left, expected at most {max_faces}")
