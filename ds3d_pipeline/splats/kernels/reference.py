"""Plain NumPy twins of the kernels in float64, written from the papers' formulas; tests only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import correlate1d

from ds3d_pipeline.geometry.transforms import rotation_from_quat_wxyz
from ds3d_pipeline.scene import Float64

BLUR_PX2 = 0.3
NEAR = 0.01


def sh_colors(coeffs: Float64, directions: Float64) -> Float64:
    """(N, 3) colours of coefficients (N, K, 3) seen along unit directions (N, 3), not below 0."""
    x, y, z = directions.T
    basis = [
        np.full_like(x, 0.5 / np.sqrt(np.pi)),
        -np.sqrt(3 / (4 * np.pi)) * y,
        np.sqrt(3 / (4 * np.pi)) * z,
        -np.sqrt(3 / (4 * np.pi)) * x,
        np.sqrt(15 / np.pi) / 2 * x * y,
        -np.sqrt(15 / np.pi) / 2 * y * z,
        np.sqrt(5 / np.pi) / 4 * (2 * z * z - x * x - y * y),
        -np.sqrt(15 / np.pi) / 2 * x * z,
        np.sqrt(15 / np.pi) / 4 * (x * x - y * y),
        -np.sqrt(35 / (2 * np.pi)) / 4 * y * (3 * x * x - y * y),
        np.sqrt(105 / np.pi) / 2 * x * y * z,
        -np.sqrt(21 / (2 * np.pi)) / 4 * y * (4 * z * z - x * x - y * y),
        np.sqrt(7 / np.pi) / 4 * z * (2 * z * z - 3 * x * x - 3 * y * y),
        -np.sqrt(21 / (2 * np.pi)) / 4 * x * (4 * z * z - x * x - y * y),
        np.sqrt(105 / np.pi) / 4 * z * (x * x - y * y),
        -np.sqrt(35 / (2 * np.pi)) / 4 * x * (x * x - 3 * y * y),
    ]
    values = np.stack(basis[: coeffs.shape[1]], axis=1)
    return np.maximum(np.einsum("nk,nkc->nc", values, coeffs) + 0.5, 0)


def project(rows: Float64, camera: Float64) -> tuple[Float64, Float64, Float64]:
    """Pixel means (N, 2), blurred 2D covariances (N, 2, 2) and depths (N,)."""
    R, t = camera[:9].reshape(3, 3), camera[9:12]
    focal, principal, size = camera[12:14], camera[14:16], camera[16:18]
    points = rows[:, :3] @ R.T + t
    z = points[:, 2:]
    slopes = points[:, :2] / z
    means = slopes * focal + principal
    margin = 0.15 * size / focal
    slopes = np.clip(slopes, -principal / focal - margin, (size - principal) / focal + margin)
    J = np.zeros((len(rows), 2, 3))
    J[:, [0, 1], [0, 1]] = focal / z
    J[:, :, 2] = -focal * slopes / z
    M = rotation_from_quat_wxyz(rows[:, 3:7]) * np.exp(rows[:, None, 7:10])
    half = J @ R @ M
    return means, half @ half.transpose(0, 2, 1) + BLUR_PX2 * np.eye(2), points[:, 2]


def render(
    rows: Float64, camera: Float64, cut: float = 1 / 255, background: Sequence[float] = (0, 0, 0)
) -> tuple[Float64, Float64]:
    """The image (3, H, W) on `background` and the light left (H, W), every Gaussian over every pixel.

    `cut` is the alpha under which nothing is drawn; 0 makes the picture a smooth function of the rows.
    """
    rows, camera = np.asarray(rows, np.float64), np.asarray(camera, np.float64)
    rows = rows[rows[:, :3] @ camera[6:9] + camera[11] > NEAR]
    means, covariances, depths = project(rows, camera)
    directions = rows[:, :3] - camera[18:21]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    colors = sh_colors(rows[:, 11:].reshape(len(rows), -1, 3), directions)
    width, height = int(camera[16]), int(camera[17])
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) + 0.5
    image, transmittance = np.zeros((3, height, width)), np.ones((height, width))
    for g in np.argsort(depths, kind="stable"):
        offset = pixels - means[g]
        power = -0.5 * np.einsum("hwi,ij,hwj->hw", offset, np.linalg.inv(covariances[g]), offset)
        alpha = np.minimum(np.exp(power) / (1 + np.exp(-rows[g, 10])), 0.99)
        alpha = np.where(alpha >= cut, alpha, 0)
        image += (alpha * transmittance) * colors[g][:, None, None]
        transmittance = transmittance * (1 - alpha)
    return image + transmittance * np.reshape(background, (3, 1, 1)), transmittance


def ssim(a: Float64, b: Float64) -> Float64:
    """Structural similarity (Wang et al. 2004) per pixel of pictures (3, H, W), zero beyond the border."""
    offsets = np.arange(11) - 5
    window = np.exp(-0.5 * (offsets / 1.5) ** 2)
    window /= window.sum()

    def blur(values: Float64) -> Float64:
        rows = correlate1d(values, window, axis=-1, mode="constant")
        return correlate1d(rows, window, axis=-2, mode="constant")

    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def adam(
    rows: Float64, grad: Float64, state: tuple[Float64, Float64], rates: Float64, step: int
) -> tuple[Float64, tuple[Float64, Float64]]:
    """One step of Adam (Kingma and Ba 2015), betas 0.9 and 0.999, over rows (N, D) with rates (D,)."""
    m = 0.9 * state[0] + 0.1 * grad
    v = 0.999 * state[1] + 0.001 * grad**2
    update = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-15)
    return rows - rates * update, (m, v)
