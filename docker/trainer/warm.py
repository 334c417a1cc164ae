"""Compiles every kernel of training and of writing files, so that none is compiled when the image runs."""

import tempfile
from pathlib import Path

import numpy as np

from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.scene import Gaussians
from ds3d_pipeline.splats.training.trainer import compile_kernels


def write_one() -> None:
    """Writes one Gaussian as SPZ, whose library has kernels of its own."""
    one = Gaussians(
        means=np.zeros((1, 3), np.float32),
        quats_wxyz=np.array([[1, 0, 0, 0]], np.float32),
        log_scales=np.zeros((1, 3), np.float32),
        opacity_logits=np.zeros(1, np.float32),
        sh_coeffs=np.zeros((1, 9, 3), np.float32),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_spz(Path(folder) / "one.spz", one)


if __name__ == "__main__":
    compile_kernels()
    write_one()
