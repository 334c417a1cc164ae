"""The colours of photos, as their file describes them, to sRGB.

By the ICC profile; else, in HEIF, by its code points (ITU-T H.273); else by the mark of cameras that write
Adobe RGB without a profile (DCF 2.0).
"""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ds3d_pipeline.capture.tonemap import TRANSFER_BY_CODE, sdr_from_hdr, srgb_of_light
from ds3d_pipeline.scene import Float32, Float64

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageCms import ImageCmsTransform

log = logging.getLogger(__name__)

Curve = Literal["srgb", "adobe"]
_D65_XY = (0.3127, 0.3290)
_ADOBE_GAMMA = 563 / 256
"""Adobe RGB (1998), 4.3.4.2."""
_INTEROPERABILITY, _INDEX, _ADOBE_MARK = 0xA005, 1, "R03"
_SAME = 2
"""Largest difference, of 255, between a profile's colours and sRGB's that is rounding only."""
_GRID = np.stack(np.meshgrid(*[np.linspace(0, 255, 9)] * 3), axis=-1).reshape(-1, 27, 3).astype(np.uint8)


class Primaries(NamedTuple):
    """Chromaticities (x, y) of red, green and blue; white is D65."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


_BT709 = Primaries((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_BT2020 = Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
_P3 = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_ADOBE = Primaries((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
_PRIMARIES_BY_CODE = {9: _BT2020, 12: _P3}
"""ITU-T H.273, table 2; all others are, or are close to, sRGB's."""


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture with sRGB colours: itself where it has them already, or where nothing says which it has.

    Raises what Pillow does where it cannot be decoded.
    """
    image.load()
    if profile := image.info.get("icc_profile"):
        return _by_profile(image, profile)
    if code_points := image.info.get("nclx_profile"):
        return _by_code_points(image, code_points)
    return _converted(image, _ADOBE, "adobe") if _has_adobe_mark(image) else image


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """A profile that is damaged, or of another kind than the pixels, is left aside, as viewers do."""
    from PIL.ImageCms import PyCMSError, applyTransform

    image = _without_palette(image)
    mode = "RGB" if image.mode == "RGBA" else image.mode
    try:
        transform = _transform(profile, mode)
        if transform is None:
            return image
        changed = applyTransform(image.convert("RGB") if mode == "RGB" else image, transform)
    except (PyCMSError, OSError, ValueError) as error:
        log.info("ignoring an ICC profile: %s", error)
        return image
    return image if changed is None else _with_alpha_of(image, changed)


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """From a profile's colours to sRGB (LittleCMS); None where they are the same."""
    from PIL import Image
    from PIL.ImageCms import Flags, ImageCmsProfile, Intent, applyTransform, buildTransform, createProfile

    transform = buildTransform(
        ImageCmsProfile(io.BytesIO(profile)),
        ImageCmsProfile(createProfile("sRGB")),
        mode,
        "RGB",
        renderingIntent=Intent.RELATIVE_COLORIMETRIC,
        flags=Flags.BLACKPOINTCOMPENSATION,
    )
    if mode == "RGB" and (turned := applyTransform(Image.fromarray(_GRID), transform)) is not None:
        difference = np.abs(np.asarray(turned, np.int32) - _GRID.astype(np.int32))
        return None if difference.max() <= _SAME else transform
    return transform


def _by_code_points(image: Image.Image, code_points: dict[str, float]) -> Image.Image:
    """HDR is compressed as that of videos is."""
    from PIL import Image as PilImage

    primaries = _PRIMARIES_BY_CODE.get(int(code_points.get("color_primaries", 2)))
    transfer = TRANSFER_BY_CODE.get(int(code_points.get("transfer_characteristics", 2)))
    if transfer is not None:
        rgb48 = np.asarray(image.convert("RGB"), np.uint16) * np.uint16(256)
        return _with_alpha_of(image, PilImage.fromarray(sdr_from_hdr(rgb48, transfer)))
    return image if primaries is None else _converted(image, primaries, "srgb")


def _converted(image: Image.Image, primaries: Primaries, curve: Curve) -> Image.Image:
    from PIL import Image as PilImage

    light = _light_by_code(curve)[np.asarray(image.convert("RGB"))]
    matrix = np.linalg.solve(_xyz_from_rgb(_BT709), _xyz_from_rgb(primaries))
    rgb = srgb_of_light(light @ matrix.T.astype(np.float32))
    return _with_alpha_of(image, PilImage.fromarray(rgb))


def _light_by_code(curve: Curve) -> Float32:
    """(256,) linear light of an 8-bit value (IEC 61966-2-1, or a power)."""
    signal = np.arange(256) / 255
    if curve == "adobe":
        return (signal**_ADOBE_GAMMA).astype(np.float32)
    light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _xyz_from_rgb(primaries: Primaries) -> Float64:
    """(3, 3) CIE XYZ of linear RGB; white has Y = 1 (SMPTE RP 177)."""
    columns = np.array([(x, y, 1 - x - y) for x, y in primaries]).T
    x, y = _D65_XY
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))


def _has_adobe_mark(image: Image.Image) -> bool:
    try:
        return image.getexif().get_ifd(_INTEROPERABILITY).get(_INDEX) == _ADOBE_MARK
    except (OSError, ValueError, SyntaxError, KeyError, TypeError):
        return False


def _without_palette(image: Image.Image) -> Image.Image:
    if image.mode not in ("P", "PA", "1"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _with_alpha_of(image: Image.Image, rgb: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA"):
        rgb.putalpha(image.getchannel("A"))
    return rgb
