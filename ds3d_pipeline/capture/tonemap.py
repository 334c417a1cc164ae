"""HDR pixels (PQ, HLG) to 8-bit SDR."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ds3d_pipeline.scene import Float32, UInt8

Transfer = Literal["pq", "hlg"]
TRANSFER_BY_CODE: dict[int, Transfer] = {16: "pq", 18: "hlg"}
"""SMPTE ST 2084 and ARIB STD-B67 in ITU-T H.273, table 3; AVColorTransferCharacteristic has the same."""

_WHITE_NITS = 203.0
"""Diffuse white of HDR programmes, ITU-R BT.2408."""
_PEAK_NITS = 1000.0
_RGB48_WHITE = 65280.0
"""What libswscale writes for nominal white: 8-bit 255 shifted left by 8."""
_BT709_FROM_BT2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""ITU-R BT.2407, linear light."""
_SRGB_STEPS = 16384


def sdr_from_hdr(rgb48: NDArray[np.uint16], transfer: Transfer) -> UInt8:
    """(H, W, 3) BT.2100 RGB as libswscale writes rgb48 -> (H, W, 3) 8-bit sRGB with BT.709 primaries.

    Light relative to diffuse white (ITU-R BT.2408) is compressed by `compress_highlights`, one gain for the
    three channels of a pixel, so that hues stay.
    """
    light = _light_by_code(transfer)[rgb48]
    if transfer == "hlg":
        light = _displayed(light)
    light = np.maximum(light @ _BT709_FROM_BT2020.T, 0)
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    light *= compress_highlights(brightest) / brightest
    return srgb_of_light(light)


def srgb_of_light(light: Float32) -> UInt8:
    """(..., 3) linear light with BT.709 primaries, 1 = white, to 8-bit sRGB; what is outside is clipped."""
    return _srgb_by_step()[(np.clip(light, 0, 1) * (_SRGB_STEPS - 1) + 0.5).astype(np.uint16)]


def compress_highlights(light: Float32) -> Float32:
    """Mobius curve: linear up to 0.3, then bent so that a peak of 1000 nits lands on 1 (FFmpeg's `tonemap`).

    `light` is relative to diffuse white, 1 = 203 nits.
    """
    knee, peak = 0.3, _PEAK_NITS / _WHITE_NITS
    a = -(knee**2) * (peak - 1) / (knee**2 - 2 * knee + peak)
    b = (knee**2 - 2 * knee * peak + peak) / (peak - 1)
    bent = (b**2 + 2 * b * knee + knee**2) / (b - a) * (light + a) / (light + b)
    return np.where(light <= knee, light, bent).astype(np.float32)


@cache
def _light_by_code(transfer: Transfer) -> Float32:
    """(65536,) PQ: displayed light, 1 = diffuse white; HLG: scene light, 1 = peak."""
    signal = np.minimum(np.arange(65536) / _RGB48_WHITE, 1.0)
    light = _pq_nits(signal) / _WHITE_NITS if transfer == "pq" else _hlg_scene(signal)
    return light.astype(np.float32)


def _pq_nits(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084 EOTF: signal in [0, 1] to cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _hlg_scene(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of the HLG OETF, ITU-R BT.2100: signal in [0, 1] to scene light in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _displayed(scene: Float32) -> Float32:
    """The HLG OOTF of a 1000 nit display (ITU-R BT.2100, gamma 1.2); the result has diffuse white at 1."""
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    gain = np.maximum(luminance, 1e-9) ** np.float32(0.2) * np.float32(_PEAK_NITS / _WHITE_NITS)
    return scene * gain[..., None].astype(np.float32)


@cache
def _srgb_by_step() -> UInt8:
    """Linear light in `_SRGB_STEPS` even steps to 8-bit sRGB (IEC 61966-2-1)."""
    linear = np.linspace(0, 1, _SRGB_STEPS)
    signal = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * signal).astype(np.uint8)
