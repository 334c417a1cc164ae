"""How depth maps classify points and surface: supported, seen through, or never observed.

A view that measured something behind a point saw through it, so nothing is there: the free-space argument of
Labatut et al. (2007) and Merrell et al. (2007), counted over all views.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import prange
from numpy.typing import NDArray

from ds3d_pipeline.formats.colmap import read_depth_map
from ds3d_pipeline.mesh.options import FreeSpaceOptions
from ds3d_pipeline.programs.jit import EXACT, parallel
from ds3d_pipeline.scene import Float32, Float64, Int32, Reconstruction

MEASURED_CONFIDENCE = 0.5
"""Maps that nowhere exceed this were interpolated between sparse points and do not count."""


@dataclass(frozen=True, kw_only=True)
class FreeSpaceEvidence:
    """The counts over all measured maps at N points."""

    supports: Int32
    """(N,) maps that show a surface there."""
    passes: Int32
    """(N,) maps that show a surface behind it."""
    angles_deg: Float32
    """(N,) spread of the supporting views' directions; 0 with fewer than two."""

    def seen_through(self) -> NDArray[np.bool_]:
        """(N,) where at least two maps, and more than support the point, saw through it."""
        return (self.passes >= 2) & (self.passes > self.supports)

    def clearly_seen_through(self) -> NDArray[np.bool_]:
        """(N,) where hardly a map supports the point and several saw through it."""
        return (self.passes >= 4) & (self.passes > 4 * self.supports)

    def narrow(self, options: FreeSpaceOptions) -> NDArray[np.bool_]:
        """(N,) where two or more maps agree, but from nearly the same direction."""
        return (self.supports >= 2) & (self.angles_deg < options.min_angle_deg)


def free_space_evidence(
    folder: Path, reconstruction: Reconstruction, points: Float32, options: FreeSpaceOptions
) -> FreeSpaceEvidence:
    """The evidence at points (N, 3) from the maps under `folder`, read one at a time."""
    count = len(points)
    supports, passes = np.zeros(count, np.int32), np.zeros(count, np.int32)
    rays = np.zeros((count, 3))
    for view in reconstruction.views:
        if not (folder / "depth" / f"{view.image}.bin").is_file():
            continue
        depth_map = read_depth_map(folder, view).certain()
        if depth_map.confidence.max(initial=0) > MEASURED_CONFIDENCE:
            limits = (options.agree, options.behind)
            pose, centre = view.cam_from_world.astype(np.float64), view.centre_in_world.astype(np.float64)
            _vote(points, pose, centre, depth_map.K, depth_map.depth, limits, supports, passes, rays)
    mean = np.linalg.norm(rays, axis=1) / np.maximum(supports, 1)
    # Unit vectors spread by a small angle s have a mean of length 1 - s^2 / 2.
    spread = np.degrees(np.sqrt(np.maximum(2 * (1 - mean), 0)))
    return FreeSpaceEvidence(
        supports=supports, passes=passes, angles_deg=np.where(supports > 1, spread, 0).astype(np.float32)
    )


@parallel(floats=EXACT)
def _vote(
    points: Float32,
    pose: Float64,
    centre: Float64,
    K: Float64,
    depth: Float32,
    limits: tuple[float, float],
    supports: Int32,
    passes: Int32,
    rays: Float64,
) -> None:
    """Counts what one depth map says of every point.

    points (N, 3) in the world; pose (3 or 4, 4) is cam_from_world and centre (3,) its camera in the world; K
    (3, 3); depth (H, W), 0 unknown; limits: relative differences up to which depth agrees, and from which a
    point is seen through. supports and passes (N,) are counted up; rays (N, 3) gets the unit vectors towards
    the cameras that support.
    """
    height, width = depth.shape
    for n in prange(len(points)):
        x, y, z = points[n]
        cam_z = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z + pose[2, 3]
        if cam_z <= 0:
            continue
        cam_x = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z + pose[0, 3]
        cam_y = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z + pose[1, 3]
        u, v = K[0, 0] * cam_x / cam_z + K[0, 2], K[1, 1] * cam_y / cam_z + K[1, 2]
        if u < 0 or v < 0 or u >= width or v >= height:
            continue
        there = depth[int(v), int(u)]
        if there <= 0:
            continue
        if abs(there - cam_z) <= limits[0] * cam_z:
            supports[n] += 1
            dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
            length = np.sqrt(dx * dx + dy * dy + dz * dz)
            rays[n, 0] += dx / length
            rays[n, 1] += dy / length
            rays[n, 2] += dz / length
        elif there > cam_z * (1 + limits[1]):
            passes[n] += 1
