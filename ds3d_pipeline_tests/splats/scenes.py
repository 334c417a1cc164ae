"""Small random splats and cameras for the kernels' tests."""

import numpy as np

from ds3d_pipeline.splats.kernels.parameters import SH
from ds3d_pipeline.splats.kernels.projection import camera_row


def random_rows(count: int, degree: int, seed: int, *, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, SH + 3 * (degree + 1) ** 2), np.float32)
    rows[:, :3] = rng.uniform(-spread, spread, (count, 3))
    rows[:, 3:7] = rng.normal(size=(count, 4))
    rows[:, 7:10] = rng.normal(-2.2, 0.6, (count, 3))
    rows[:, 10] = rng.normal(0, 1.5, count)
    rows[:, SH:] = rng.normal(0, 0.3, rows[:, SH:].shape)
    return rows


def camera(width: int = 53, height: int = 37, *, distance: float = 3.0, seed: int = 0) -> np.ndarray:
    """A camera that looks at the origin from `distance`, slightly turned, its principal point off centre."""
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(seed)
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = Rotation.from_rotvec(rng.normal(0, 0.3, 3)).as_matrix()
    cam_from_world[:3, 3] = (0.1, -0.05, distance)
    K = np.array([[60.0, 0, width / 2 + 1.3], [0, 57.0, height / 2 - 0.7], [0, 0, 1]])
    return camera_row(K, cam_from_world, (width, height))
