"""Gaussian splats in Niantic's SPZ format, version 2: quantised columns under gzip, a tenth of the PLY.

Layout (github.com/nianticlabs/spz): a header of 16 bytes, then column by column positions (24-bit fixed
point), opacities, colours, log scales, rotations (x y z of the quaternion with w >= 0) and harmonics, one
byte each. The axes are kept as they are.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.scene import Float32, Gaussians, UInt8

_MAGIC, _VERSION = 0x5053474E, 2
_HEADER = struct.Struct("<IIIBBBB")
_COLOR_SCALE = 0.15
_REMEDY = "Give an SPZ file of version 2."


def write_spz(path: Path, gaussians: Gaussians) -> None:
    """Writes all Gaussians so that no reader ever sees half a file; equal splats give equal bytes.

    Raises ValueError for harmonics beyond degree 3 or values that are not finite.
    """
    count, sh_count = gaussians.sh_coeffs.shape[:2]
    if sh_count not in (1, 4, 9, 16):
        raise ValueError(f"sh_coeffs must hold 1, 4, 9 or 16 coefficients, got {sh_count}")
    if not all(np.isfinite(values).all() for values in vars(gaussians).values()):
        raise ValueError("a splat with values that are not finite cannot be written")
    bits = _fractional_bits(gaussians.means)
    header = _HEADER.pack(_MAGIC, _VERSION, count, int(np.sqrt(sh_count)) - 1, bits, 0, 0)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(gzip.compress(header + _columns(gaussians, bits), compresslevel=6, mtime=0))
    os.replace(partial, path)


def read_spz(path: Path) -> Gaussians:
    """Reads what `write_spz` or another writer of version 2 wrote.

    Raises InputError naming the file where it is no such file or ends early.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is not an SPZ file or is damaged.", _REMEDY) from error
    if len(content) < _HEADER.size:
        raise InputError(f"{path} ends within its header.", _REMEDY)
    magic, version, count, degree, bits, _, _ = _HEADER.unpack_from(content)
    if magic != _MAGIC or version != _VERSION or degree > 3:
        raise InputError(f"{path} is not an SPZ file of version 2.", _REMEDY)
    widths = (9, 1, 3, 3, 3, 3 * ((degree + 1) ** 2 - 1))
    if len(content) != _HEADER.size + count * sum(widths):
        raise InputError(f"{path} does not have the size that its number of Gaussians needs.", _REMEDY)
    return _gaussians(np.frombuffer(content, np.uint8, offset=_HEADER.size), count, widths, bits)


def _fractional_bits(means: Float32) -> int:
    """As fine as 24 signed bits hold for the furthest mean, at most the 12 that writers use."""
    farthest = float(np.abs(means).max(initial=1.0))
    bits = min(12, int(np.floor(np.log2((2**23 - 1) / farthest))))
    if bits < 0:
        raise ValueError(f"a mean is {farthest:.3g} from the origin, too far for SPZ")
    return bits


def _columns(gaussians: Gaussians, bits: int) -> bytes:
    count = len(gaussians.means)
    fixed = np.rint(gaussians.means.astype(np.float64) * 2**bits).astype("<i4")
    unit: Float32 = gaussians.quats_wxyz / np.linalg.norm(gaussians.quats_wxyz, axis=1, keepdims=True)
    quats = np.where(unit[:, :1] < 0, -unit, unit)
    opacity = 1 / (1 + np.exp(-gaussians.opacity_logits.astype(np.float64)))
    parts = (
        fixed.view(np.uint8).reshape(count, 3, 4)[:, :, :3],
        _bytes(opacity * 255),
        _bytes(gaussians.sh_coeffs[:, 0] * (_COLOR_SCALE * 255) + 0.5 * 255),
        _bytes((gaussians.log_scales + 10) * 16),
        _bytes(quats[:, 1:] * 127.5 + 127.5),
        _bytes(gaussians.sh_coeffs[:, 1:] * 128 + 128),
    )
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def _bytes(values: NDArray[np.floating]) -> UInt8:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _gaussians(content: UInt8, count: int, widths: tuple[int, ...], bits: int) -> Gaussians:
    ends = np.cumsum(np.asarray(widths) * count)
    parts = [part.reshape(count, -1) for part in np.split(content, ends[:-1])]
    # Three bytes go into the upper three of an int32, whose shift back keeps the sign.
    padded = np.zeros((count, 3, 4), np.uint8)
    padded[:, :, 1:] = parts[0].reshape(count, 3, 3)
    fixed = padded.view("<i4")[:, :, 0] >> 8
    opacity = np.clip(parts[1][:, 0] / 255, 0.5 / 255, 1 - 0.5 / 255)
    xyz = parts[4] / 127.5 - 1
    w = np.sqrt(np.maximum(1 - (xyz**2).sum(axis=1, keepdims=True), 0))
    quats = np.concatenate([w, xyz], axis=1)
    dc = (parts[2] / 255 - 0.5) / _COLOR_SCALE
    rest = (parts[5].astype(np.float32) - 128) / 128
    return Gaussians(
        means=(fixed / 2**bits).astype(np.float32),
        quats_wxyz=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=(parts[3] / 16 - 10).astype(np.float32),
        opacity_logits=np.log(opacity / (1 - opacity)).astype(np.float32),
        sh_coeffs=np.concatenate([dc[:, None], rest.reshape(count, -1, 3)], axis=1).astype(np.float32),
    )
