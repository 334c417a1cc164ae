"""The only place that flips an axis.

World: gravity-aligned, +y down (as in the camera frame of OpenCV and COLMAP). glTF 2.0: +y up, right-handed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.scene import Float64

GLTF_FROM_WORLD: Float64 = np.diag([1.0, -1.0, -1.0])
"""(3, 3): half a turn about x, so triangles keep their orientation. It is its own inverse."""
GLTF_FROM_WORLD.setflags(write=False)

DOWN_IN_WORLD: Float64 = np.array([0.0, 1.0, 0.0])
DOWN_IN_WORLD.setflags(write=False)


def gltf_from_world(vectors: ArrayLike) -> Float64:
    """Points or directions (..., 3) of the world in glTF's axes."""
    return np.asarray(vectors, dtype=np.float64) @ GLTF_FROM_WORLD.T


def world_from_gltf(vectors: ArrayLike) -> Float64:
    """Points or directions (..., 3) of glTF's axes in the world's."""
    return np.asarray(vectors, dtype=np.float64) @ GLTF_FROM_WORLD
