"""What gsply reads of an SPZ file, as our record."""

from pathlib import Path

import gsply
import numpy as np

from ds3d_pipeline.geometry.conventions import splat_in_gltf
from ds3d_pipeline.scene import Gaussians


def read_spz_as_stored(path: Path) -> Gaussians:
    """In the axes of the file."""
    data = gsply.read_spz(path)
    rest = np.zeros((len(data.means), 0, 3), np.float32) if data.shN is None else data.shN
    return Gaussians(
        means=data.means,
        quats_wxyz=data.quats,
        log_scales=data.scales,
        opacity_logits=data.opacities.reshape(-1),
        sh_coeffs=np.concatenate([data.sh0[:, None], rest], axis=1),
    )


def read_spz(path: Path) -> Gaussians:
    """In the world."""
    return splat_in_gltf(read_spz_as_stored(path))
