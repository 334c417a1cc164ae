"""How close renders come to photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3d_pipeline.scene import Float32, UInt8
from ds3d_pipeline.splats.kernels.losses import RADIUS, ssim_map
from ds3d_pipeline.splats.kernels.projection import camera_row
from ds3d_pipeline.splats.kernels.render import render
from ds3d_pipeline.splats.report import Scores
from ds3d_pipeline.splats.training.photos import Photo, as_float


def psnr_db(image: Float32, target: Float32, mask: UInt8 | None = None) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1] where `mask` (H, W) is not 0, at most 100 dB."""
    errors = (image - target) ** 2
    return psnr_of_error(_mean(errors, mask))


def psnr_of_error(squared_error: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error, at most 100 dB."""
    return float(-10 * np.log10(max(squared_error, 1e-10)))


def ssim(image: Float32, target: Float32, mask: UInt8 | None = None) -> float:
    """Mean structural similarity over the pixels whose whole window is in the picture (Wang et al. 2004).

    Pictures smaller than the window use every pixel; those where `mask` (H, W) is 0 are left out.
    """
    similarity = ssim_map(image, target)
    if min(image.shape[1:]) > 2 * RADIUS:
        similarity = similarity[:, RADIUS:-RADIUS, RADIUS:-RADIUS]
        mask = None if mask is None else mask[RADIUS:-RADIUS, RADIUS:-RADIUS]
    return _mean(similarity, mask)


def photo_camera(photo: Photo) -> Float32:
    """The flat camera of a photo."""
    return camera_row(photo.K, photo.cam_from_world, (photo.pixels.shape[1], photo.pixels.shape[0]))


def draw(rows: Float32, photo: Photo, sh_degree: int) -> Float32:
    """The rows as that photo's camera sees them, (3, H, W) in [0, 1]."""
    return np.clip(render(rows, photo_camera(photo), sh_degree).image, 0, 1)


def score(rows: Float32, photos: Sequence[Photo], sh_degree: int) -> Scores:
    """PSNR and SSIM of the rows against photos they are drawn beside; raises ValueError without photos."""
    if not photos:
        raise ValueError("there is no photo to score against")
    values = []
    for photo in photos:
        image, target = draw(rows, photo, sh_degree), as_float(photo.pixels)
        values.append((psnr_db(image, target, photo.mask), ssim(image, target, photo.mask)))
    psnrs, ssims = zip(*values, strict=True)
    return Scores(
        images=tuple(photo.name for photo in photos),
        psnr_db=float(np.mean(psnrs)),
        ssim=float(np.mean(ssims)),
    )


def _mean(values: Float32, mask: UInt8 | None) -> float:
    """Over (3, H, W) where the mask is not 0; over all of them where it is 0 everywhere."""
    if mask is not None and mask.any():
        values = values[:, mask > 0]
    return float(values.mean(dtype=np.float64))
