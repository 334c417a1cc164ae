"""Solid textures: colour as a function of the place in space, so every view of a point has one colour.

Patches of flat colour with torn edges (corners for feature detectors) under noise of many octaves. Detail
finer than a pixel fades out, as in a mipmap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.geometry.transforms import rotation_from_quat_wxyz
from ds3d_pipeline.programs.jit import EXACT, serial
from ds3d_pipeline.scene import Float64

PALETTE_SIZE = 5


@dataclass(frozen=True, kw_only=True)
class Textures:
    """M solid textures as arrays that kernels read."""

    texture_from_world: Float64
    """(M, 3, 4) each texture's own oblique frame, so that no face is in a plane of its lattice."""
    palettes: Float64
    """(M, 5, 3) RGB albedo in [0, 1]."""
    patch_m: Float64
    """(M,) size of the patches."""
    grain: Float64
    """(M,) amplitude of the noise, relative to the colour."""


def make_textures(
    palettes: list[list[tuple[float, float, float]]], patch_m: list[float], grain: list[float], seed: int
) -> Textures:
    """One texture for each palette of up to 5 colours, which repeats where it has fewer."""
    random = np.random.default_rng(seed)
    count = len(palettes)
    rotation = rotation_from_quat_wxyz(random.normal(size=(count, 4)))
    offset = random.uniform(10, 50, size=(count, 3, 1))
    full = [[palette[i % len(palette)] for i in range(PALETTE_SIZE)] for palette in palettes]
    return Textures(
        texture_from_world=np.concatenate([rotation, offset], axis=2),
        palettes=np.array(full, dtype=np.float64),
        patch_m=np.array(patch_m, dtype=np.float64),
        grain=np.array(grain, dtype=np.float64),
    )


@serial(floats=EXACT)
def _hash(x: int, y: int, z: int, salt: int) -> int:
    """32 well mixed bits of the lattice point x, y, z; another salt, others (MurmurHash3's finaliser)."""
    h = (x * 374761393 + y * 668265263 + z * 2147483647 + salt * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return h ^ (h >> 16)


@serial(floats=EXACT)
def _noise(x: float, y: float, z: float, salt: int) -> float:
    """Value noise in [-1, 1] at x, y, z: smooth interpolation of random numbers on the unit lattice.

    Another salt gives other numbers.
    """
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    ix, iy, iz = int(fx), int(fy), int(fz)
    tx, ty, tz = x - fx, y - fy, z - fz
    tx, ty, tz = tx * tx * (3 - 2 * tx), ty * ty * (3 - 2 * ty), tz * tz * (3 - 2 * tz)
    total = 0.0
    for corner in range(8):
        dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (tx if dx else 1 - tx) * (ty if dy else 1 - ty) * (tz if dz else 1 - tz)
        total += weight * _hash(ix + dx, iy + dy, iz + dz, salt)
    return total / 2147483647.5 - 1


@serial(floats=EXACT)
def _fractal(x: float, y: float, z: float, coarsest_m: float, footprint_m: float) -> float:
    """Noise of up to 7 octaves at x, y, z; an octave fades out while its lattice shrinks to a footprint.

    coarsest_m: the lattice of the first; footprint_m: what a pixel covers. It fades from 2 to 1 footprints.
    """
    total, size, amplitude = 0.0, coarsest_m, 0.55
    for octave in range(7):
        visible = min(max(size / footprint_m - 1, 0.0), 1.0)
        if visible == 0:
            break
        total += visible * amplitude * _noise(x / size, y / size, z / size, octave)
        size *= 0.5
        amplitude *= 0.85
    return total


@serial(floats=EXACT)
def albedo(
    frame: Float64,
    palette: Float64,
    patch_m: float,
    grain: float,
    point: Float64,
    footprint_m: float,
    out: Float64,
) -> None:
    """Writes `out` (3,), the RGB albedo at a world point (3,), for a pixel that covers `footprint_m` of it.

    frame (3, 4): texture from world; palette (5, 3) of colours; patch_m: size of a patch of one colour;
    grain: strength of the noise.
    """
    x = frame[0, 0] * point[0] + frame[0, 1] * point[1] + frame[0, 2] * point[2] + frame[0, 3]
    y = frame[1, 0] * point[0] + frame[1, 1] * point[1] + frame[1, 2] * point[2] + frame[1, 3]
    z = frame[2, 0] * point[0] + frame[2, 1] * point[1] + frame[2, 2] * point[2] + frame[2, 3]
    tear, size = 0.45 * patch_m, 0.6 * patch_m
    px = x + tear * _noise(x / size, y / size, z / size, 101)
    py = y + tear * _noise(x / size, y / size, z / size, 102)
    pz = z + tear * _noise(x / size, y / size, z / size, 103)
    chosen = _hash(int(np.floor(px / patch_m)), int(np.floor(py / patch_m)), int(np.floor(pz / patch_m)), 104)
    speck_m = 0.23 * patch_m
    speck = _hash(int(np.floor(px / speck_m)), int(np.floor(py / speck_m)), int(np.floor(pz / speck_m)), 105)
    if speck % 100 < 18:
        chosen = speck >> 8
    brightness = 1 + grain * _fractal(x, y, z, 0.16, footprint_m)
    for channel in range(3):
        out[channel] = palette[chosen % 5, channel] * max(brightness, 0.1)
