"""The only place that flips an axis.

World: gravity-aligned, +y down (as in the camera frame of OpenCV and COLMAP). glTF 2.0 and SPZ: +y up,
right-handed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3d_pipeline.scene import Float32, Float64, Gaussians

GLTF_FROM_WORLD: Float64 = np.diag([1.0, -1.0, -1.0])
"""(3, 3): half a turn about x, so triangles keep their orientation. It is its own inverse."""
GLTF_FROM_WORLD.setflags(write=False)

WORLD_FROM_GLTF: Float64 = np.diag([1.0, -1.0, -1.0, 1.0])
"""(4, 4): from the frame of GLB and SPZ into that of points, PLY and cameras; the origin is the same."""
WORLD_FROM_GLTF.setflags(write=False)

DOWN_IN_WORLD: Float64 = np.array([0.0, 1.0, 0.0])
DOWN_IN_WORLD.setflags(write=False)


def gltf_from_world(vectors: ArrayLike) -> Float64:
    """Points or directions (..., 3) of the world in glTF's axes."""
    return np.asarray(vectors, dtype=np.float64) @ GLTF_FROM_WORLD.T


def world_from_gltf(vectors: ArrayLike) -> Float64:
    """Points or directions (..., 3) of glTF's axes in the world's."""
    return np.asarray(vectors, dtype=np.float64) @ GLTF_FROM_WORLD


def z_up_from_gltf(vectors: ArrayLike) -> Float64:
    """Points or directions (..., 3) of glTF's axes where +z is up, as surveyors and printers have it."""
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=np.float64), -1, 0)
    return np.stack([x, -z, y], axis=-1)


def splat_in_gltf(gaussians: Gaussians) -> Gaussians:
    """The splat of the world in glTF's axes: means, rotations and harmonics turn. Its own inverse."""
    signs = np.diag(GLTF_FROM_WORLD).astype(np.float32)
    return Gaussians(
        means=gaussians.means * signs,
        quats_wxyz=gaussians.quats_wxyz * np.array([1, *signs], np.float32),
        log_scales=gaussians.log_scales,
        opacity_logits=gaussians.opacity_logits,
        sh_coeffs=gaussians.sh_coeffs * _harmonic_signs(gaussians.sh_coeffs.shape[1])[:, None],
    )


def _harmonic_signs(count: int) -> Float32:
    """(count,) signs of the real harmonics under half a turn about x.

    -y negates those of a negative order m (sines of the azimuth), -z those whose l + m is odd.
    """
    orders = [(degree, m) for degree in range(int(np.sqrt(count))) for m in range(-degree, degree + 1)]
    return np.array([(-1 if m < 0 else 1) * (-1) ** (degree + abs(m)) for degree, m in orders], np.float32)
