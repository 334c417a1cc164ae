"""Pinhole images of a distorted camera, all of them filled with picture."""

from __future__ import annotations

import cv2
import numpy as np

from ds3d_pipeline.geometry.cameras import intrinsics
from ds3d_pipeline.scene import Float64, UInt8

STRONGEST = -4 / 27
"""Of k r^2: beyond it no magnification fills the picture."""


def flat_K(focal_px: float, radial_k: float, size_wh: tuple[int, int]) -> Float64:
    """(3, 3) of the pinhole camera of the same size that sees as much as it can without blank pixels.

    Its focal length is s times the old one with (1 + k r^2 / s^2) / s = 1 at the point of the border, r off
    the axis, that leaves the picture first: a corner, or for k < 0 the middle of a longer side.
    """
    half = np.array(size_wh) / (2 * focal_px)
    radius = np.linalg.norm(half) if radial_k > 0 else half.min()
    roots = np.roots([1.0, -1.0, 0.0, -max(radial_k * radius**2, STRONGEST)])
    # At STRONGEST two roots meet, and rounding may give them a small imaginary part.
    scale = roots[np.abs(roots.imag) < 1e-6].real.max()
    return intrinsics(focal_px * float(scale), size_wh)


def flatten(pixels: UInt8, focal_px: float, radial_k: float, K: Float64) -> UInt8:
    """The picture (H, W, 3) as the pinhole camera K sees it."""
    height, width = pixels.shape[:2]
    old, new = intrinsics(focal_px, (width, height)), K.copy()
    # OpenCV counts from the centre of the first pixel.
    old[:2, 2] -= 0.5
    new[:2, 2] -= 0.5
    distortion = np.array([radial_k, 0, 0, 0])
    u, v = cv2.initUndistortRectifyMap(old, distortion, np.eye(3), new, (width, height), cv2.CV_32FC1)
    return np.asarray(cv2.remap(pixels, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)
