"""Gaussian splats in Niantic's SPZ format, version 3: quantised columns under gzip, a tenth of the PLY.

gsply (MIT) packs them. The axes are those of the specification (github.com/nianticlabs/spz): right, up, back.
Version 3 is the newest that needs no zstd, which neither our page nor older readers have. splat-transform 3
takes them for the axes of a PLY, unlike the specification and its own version 2; no file is upright in both.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ds3d_pipeline.geometry.conventions import splat_in_gltf
from ds3d_pipeline.scene import Float32, Gaussians

_VERSION = 3
_FINEST_BITS = 12
"""What writers of the format use: a quarter of a millimetre where a unit is a metre."""


def write_spz(path: Path, gaussians: Gaussians) -> None:
    """Writes all Gaussians so that no reader ever sees half a file; equal splats give equal bytes.

    Raises ValueError for harmonics beyond degree 3, values that are not finite or means beyond 2^22.
    """
    import gsply

    sh_count = gaussians.sh_coeffs.shape[1]
    if sh_count not in (1, 4, 9, 16):
        raise ValueError(f"sh_coeffs must hold 1, 4, 9 or 16 coefficients, got {sh_count}")
    if not all(np.isfinite(values).all() for values in vars(gaussians).values()):
        raise ValueError("a splat with values that are not finite cannot be written")
    bits = _fractional_bits(gaussians.means)
    turned = splat_in_gltf(gaussians)
    data = gsply.GSData(
        means=turned.means,
        scales=turned.log_scales,
        quats=turned.quats_wxyz,
        opacities=turned.opacity_logits,
        sh0=turned.sh_coeffs[:, 0],
        shN=turned.sh_coeffs[:, 1:],
    )
    partial = path.with_name(path.name + ".part")
    # Its opacity of a very low logit is 0, by way of an infinite exponential.
    with np.errstate(over="ignore"):
        gsply.write_spz(partial, data, version=_VERSION, fractional_bits=bits)
    _forget_time(partial)
    os.replace(partial, path)


def _forget_time(path: Path) -> None:
    """Clears the time of writing in a gzip header (RFC 1952), which no reader needs."""
    with path.open("r+b") as file:
        file.seek(4)
        file.write(bytes(4))


def _fractional_bits(means: Float32) -> int:
    """As fine as 24 signed bits hold for the furthest mean."""
    farthest = float(np.abs(means).max(initial=1.0))
    bits = min(_FINEST_BITS, int(np.floor(np.log2((2**23 - 1) / farthest))))
    if bits < 1:
        raise ValueError(f"a mean is {farthest:.3g} from the origin, too far for SPZ")
    return bits
