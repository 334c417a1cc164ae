"""From the renderer's clean samples to a photo: antialiasing, motion and lens blur, distortion, noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from ds3d_pipeline.geometry.cameras import intrinsics
from ds3d_pipeline.scene import Float32, Float64, UInt8
from ds3d_pipeline.synthetic.options import CameraOptions
from ds3d_pipeline.synthetic.render import render_view
from ds3d_pipeline.synthetic.scene import SyntheticScene

SUBSAMPLES_XY = ((-0.25, -0.25), (0.25, 0.25), (0.25, -0.25), (-0.25, 0.25))
"""Places inside a pixel, each also at its own time of the exposure."""


def photograph(
    scene: SyntheticScene,
    pose_at: Callable[[float], Float64],
    options: CameraOptions,
    random: np.random.Generator,
) -> UInt8:
    """One photo (H, W, 3) RGB; `pose_at` gives cam_from_world for times -0.5 to 0.5 of the exposure."""
    K, size_wh = padded_intrinsics(options)
    total = np.zeros((size_wh[1], size_wh[0], 3), dtype=np.float32)
    for index, (x, y) in enumerate(SUBSAMPLES_XY):
        shifted = K - np.array([[0, 0, x], [0, 0, y], [0, 0, 0]])
        time = (index + 0.5) / len(SUBSAMPLES_XY) - 0.5
        total += render_view(scene, shifted, pose_at(time), size_wh)[0]
    image = distort(total / np.float32(len(SUBSAMPLES_XY)), K, options)
    if options.defocus_px > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), options.defocus_px), dtype=np.float32)
    noise = random.normal(scale=options.noise_sigma, size=image.shape) if options.noise_sigma > 0 else 0
    return np.clip(np.round(255 * image + noise), 0, 255).astype(np.uint8)


def padded_intrinsics(options: CameraOptions) -> tuple[Float64, tuple[int, int]]:
    """K (3, 3) and size of the undistorted picture that holds all that the distorted one shows."""
    K = intrinsics(options.focal_px, options.size_wh)
    if options.radial_k1 == 0:
        return K, options.size_wh
    width, height = options.size_wh
    u, v = np.meshgrid([0.0, width / 2, width], [0.0, height / 2, height])
    border = undistorted_pixels(np.stack([u, v], axis=-1).reshape(-1, 2), K, options.radial_k1)
    overhang = np.maximum(border.max(axis=0) - [width, height], -border.min(axis=0))
    pad = np.maximum(np.ceil(overhang).astype(int) + 2, 0)
    K[:2, 2] += pad
    return K, (int(width + 2 * pad[0]), int(height + 2 * pad[1]))


def distort(image: NDArray[np.floating], K: Float64, options: CameraOptions) -> Float32:
    """The picture (H, W, 3) that the lens makes of an undistorted one with padded intrinsics K."""
    if options.radial_k1 == 0:
        return image
    width, height = options.size_wh
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([u, v], axis=-1).reshape(-1, 2)
    centred = intrinsics(options.focal_px, options.size_wh)
    source = undistorted_pixels(pixels, centred, options.radial_k1) + (K - centred)[:2, 2]
    # Splines count from the first pixel's centre. OpenCV's remap would round to 1/32 pixel.
    x, y = (source - 0.5).T.reshape(2, height, width)
    channels = [map_coordinates(image[..., i], [y, x], order=3, mode="nearest") for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def undistorted_pixels(pixels: ArrayLike, K: Float64, k1: float) -> Float64:
    """Where pinhole K would see what the lens shows at pixels (N, 2).

    Solves x_distorted = x (1 + k1 r^2) for the radius by Newton's method. Raises ValueError where the lens
    model folds back before it reaches a pixel.
    """
    distorted = (np.asarray(pixels, dtype=np.float64) - K[:2, 2]) / np.diag(K)[:2]
    radius = np.linalg.norm(distorted, axis=1)
    undistorted = radius.copy()
    for _ in range(20):
        slope = 1 + 3 * k1 * undistorted**2
        if np.any(slope <= 0.05):
            raise ValueError(f"radial_k1 = {k1} folds the image back inside the frame")
        undistorted -= (undistorted * (1 + k1 * undistorted**2) - radius) / slope
    ratio = undistorted / np.where(radius > 0, radius, 1)
    return np.where(radius > 0, ratio, 1)[:, None] * distorted * np.diag(K)[:2] + K[:2, 2]
