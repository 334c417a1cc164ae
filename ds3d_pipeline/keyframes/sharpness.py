"""How sharp a picture is, largely whatever it shows."""

from __future__ import annotations

import cv2
import numpy as np

from ds3d_pipeline.scene import Float32, UInt8

MEASURE_SIDE_PX = 720
"""Longer side at which sharpness is measured, so that the numbers of all captures compare."""
_NOISE_SIGMA_PX = 0.8
_NEIGHBOURHOOD_PX = 15
_FLOOR = 4.0
"""Squared gray levels: the contrast below which a neighbourhood counts as empty (noise, compression)."""


def sharpness(gray: UInt8) -> float:
    """Laplacian energy over local contrast: 0 for a flat picture, 0.1 or more for a sharp one.

    `gray` (H, W), longer side at most `MEASURE_SIDE_PX`. The energy of the Laplacian is the classic focus
    measure (Subbarao and Tyan, 1998; review: Pertuz et al., 2013, LAP2). Here it is divided by the variance
    of the surroundings, which is how much there is to be sharp; blur lowers the first far more than the
    second, content scales both.
    """
    smooth = np.asarray(cv2.GaussianBlur(gray.astype(np.float32), (0, 0), _NOISE_SIGMA_PX), np.float32)
    laplacian = cv2.Laplacian(smooth, cv2.CV_32F)
    energy = float(np.mean(np.square(laplacian)))
    return energy / (float(np.mean(local_variance(smooth))) + _FLOOR)


def local_variance(gray: Float32) -> Float32:
    """(H, W) variance within a square of 15 pixels around each pixel, in squared gray levels."""
    size = (_NEIGHBOURHOOD_PX, _NEIGHBOURHOOD_PX)
    mean = cv2.blur(gray, size)
    variance = np.asarray(cv2.sqrBoxFilter(gray, cv2.CV_32F, size), np.float32) - np.square(mean)
    return np.maximum(variance, np.float32(0))
