"""Photos to upright 8-bit RGB, with what their EXIF block contains."""

from __future__ import annotations

import io
import logging
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from ds3d_pipeline.capture import panorama
from ds3d_pipeline.capture.colors import to_srgb
from ds3d_pipeline.capture.jpeg import MOST_PIXELS, end_of, ends_early, is_progressive, size_as_read
from ds3d_pipeline.errors import IncompleteError, InputError
from ds3d_pipeline.scene import Exif, UInt8

if TYPE_CHECKING:
    from PIL import Image

log = logging.getLogger(__name__)

_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "HEIF", "AVIF")
"""Nothing else is tried, so that no PostScript or other interpreter ever starts."""
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, IndexError, OverflowError)
"""What Pillow raises on damaged files."""
_REMEDY = "Leave it out, or export it again as JPEG."
_MOST_HALVED, _MOST_PROGRESSIVE = 4 * MOST_PIXELS, 228_000_000
"""Of JPEGs, which can be decoded at half their size. A progressive one is held whole meanwhile, with up to
6 bytes a pixel."""
_MANY_PIXELS, _MOST_PIXELS_PER_BYTE = 40_000_000, 500
"""Above both a picture is blank or made to fill the memory: cameras write some 2 to 20 pixels a byte."""
_ORIENTATION, _EXIF_BLOCK, _GPS_BLOCK = 0x0112, 0x8769, 0x8825
_JPEGS = ("JPEG", "MPO")
_OPENED_UPRIGHT = ("TIFF", "HEIF")
"""Formats that Pillow and pillow-heif turn upright by themselves."""


@dataclass(frozen=True, kw_only=True)
class Photo:
    """`rgb` (H, W, 3), upright."""

    rgb: UInt8
    exif: Exif


def read_photo(path: Path, data: bytes | None = None) -> Photo:
    """Decodes a photo: sRGB colours, EXIF orientation applied, 16 bits scaled to 8, transparency over black.

    A JPEG of more than 178 megapixels is decoded at half its width and height (`size_as_read`). `data` is the
    file's content where it was read already. Raises InputError, naming the file, where it is no complete
    photo.
    """
    with _opened(path, data) as image:
        exif, orientation = _exif(image), _orientation(image)
        if size_as_read(image.size) != image.size:
            image.draft(None, (image.width // 2, image.height // 2))
        rgb = _rgb8(_turned(to_srgb(image), orientation), path)
    return Photo(rgb=rgb, exif=exif)


def read_size_and_exif(path: Path, data: bytes | None = None) -> tuple[tuple[int, int], Exif]:
    """Upright size (width, height) and EXIF, from the file's header. `data` and errors as `read_photo`."""
    with _opened(path, data) as image:
        width, height = image.size
        size_wh = (height, width) if _orientation(image) >= 5 else (width, height)
        return size_wh, _exif(image)


def is_panorama(path: Path, data: bytes | None = None) -> bool:
    """Whether it shows 360 degrees: its XMP says so, or its edges meet. `data` and errors as `read_photo`."""
    with _opened(path, data) as image:
        if panorama.says_so(image.info.get("xmp")):
            return True
        if not panorama.has_shape(image.size):
            return False
    return panorama.closes(read_photo(path, data).rgb)


def check_complete(path: Path, data: bytes | None = None) -> None:
    """Raises InputError if the file is truncated, decoding only what has no cheaper sign of it.

    WebP and HEIC files that break off do not even open. `data` as `read_photo`.
    """
    content = path.read_bytes() if data is None else data
    with _opened(path, content) as image:
        if image.format in _JPEGS:
            _check_jpeg(path, content)
        elif image.format == "PNG":
            image.verify()
        elif image.format in ("BMP", "TIFF"):
            image.load()


def _check_jpeg(path: Path, content: bytes) -> None:
    if end_of(content) < 0:
        raise IncompleteError(f"{path.name} is incomplete: it ends in the middle of the image.", _REMEDY)
    if ends_early(content):
        cause = f"{path.name} is damaged: its last rows are missing, and would be grey."
        raise InputError(cause, "Leave it out, or copy the original again.")


@contextmanager
def _opened(path: Path, data: bytes | None) -> Iterator[Image.Image]:
    from PIL import Image, UnidentifiedImageError
    from pillow_heif import register_heif_opener

    register_heif_opener()
    # `_refuse_excess` replaces Pillow's own limit, which warns on the terminal.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path if data is None else io.BytesIO(data), formats=_FORMATS) as image:
            _refuse_excess(image, path.stat().st_size if data is None else len(data), path)
            yield image
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path.name} is not an image (its content is not a known image format).", _REMEDY
        ) from error
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path.name} is not a readable photo ({reason}).", _REMEDY) from error


def _refuse_excess(image: Image.Image, size: int, path: Path) -> None:
    """By the header, before anything is decoded; `size` of the file in bytes."""
    pixels, most = image.width * image.height, _most_pixels(image)
    if pixels > most:
        cause = f"{path.name} has {pixels / 1e6:.0f} megapixels; at most {most / 1e6:.0f} can be read."
        raise InputError(cause, "Export it at a smaller size.")
    if pixels > _MANY_PIXELS and pixels > _MOST_PIXELS_PER_BYTE * size:
        cause = f"{path.name} has {pixels / 1e6:.0f} megapixels in {size} bytes, so it is no photo."
        raise InputError(cause, "Leave it out.")


def _most_pixels(image: Image.Image) -> int:
    if image.format not in _JPEGS:
        return MOST_PIXELS
    return _MOST_PROGRESSIVE if is_progressive(image) else _MOST_HALVED


def _orientation(image: Image.Image) -> int:
    if image.format in _OPENED_UPRIGHT:
        return 1
    value = _tags(image).get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    image.load()
    return image.transpose(turns[orientation]) if orientation in turns else image


def _rgb8(image: Image.Image, path: Path) -> UInt8:
    if image.mode.startswith("I;16"):
        gray = np.round(np.asarray(image) / 257.0).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise InputError(f"{path.name} has 32-bit pixels, which are not supported.", _REMEDY)
    if image.has_transparency_data:
        return _over_black(image)
    return np.array(image.convert("RGB"))


def _over_black(image: Image.Image) -> UInt8:
    """Hidden pixels must not show what an editor left under them; black is what the renderers start from."""
    from PIL import Image as PilImage

    rgba = image.convert("RGBA")
    black = PilImage.new("RGBA", rgba.size, (0, 0, 0, 255))
    return np.array(PilImage.alpha_composite(black, rgba).convert("RGB"))


def _tags(image: Image.Image, block: int | None = None) -> Mapping[int, Any]:
    """The EXIF tags of a block, empty where there are none or they are unreadable."""
    try:
        tags = image.getexif()
        return tags if block is None else tags.get_ifd(block)
    except (*_BROKEN, KeyError, TypeError) as error:
        log.info("ignoring an unreadable EXIF block: %s", error)
        return {}


def _exif(image: Image.Image) -> Exif:
    main, camera, gps = _tags(image), _tags(image, _EXIF_BLOCK), _tags(image, _GPS_BLOCK)
    altitude_m = _number(gps.get(6))
    is_below_sea = gps.get(5) in (1, b"\x01")
    return Exif(
        make=_text(main.get(0x010F)),
        model=_text(main.get(0x0110)),
        lens=_text(camera.get(0xA434)),
        focal_mm=_positive(camera.get(0x920A)),
        focal_35mm=_positive(camera.get(0xA405)),
        taken_at=_time(camera.get(0x9003)),
        latitude_deg=_degrees(gps.get(2), gps.get(1), 90),
        longitude_deg=_degrees(gps.get(4), gps.get(3), 180),
        altitude_m=-altitude_m if altitude_m is not None and is_below_sea else altitude_m,
    )


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    cleaned = "".join(c for c in str(value or "").split("\0")[0] if c.isprintable()).strip()
    return cleaned or None


def _number(value: object) -> float | None:
    if not isinstance(value, SupportsFloat):
        return None
    try:
        number = float(value)
    except (ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: object) -> float | None:
    """EXIF writes 0 for unknown lengths."""
    number = _number(value)
    return number if number is not None and number > 0 else None


def _time(value: object) -> str | None:
    """EXIF's "2024:05:06 07:08:09" as ISO 8601."""
    try:
        return datetime.strptime(_text(value) or "", "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _degrees(value: object, reference: object, limit: float) -> float | None:
    """Degrees, minutes, seconds with N, S, E or W; None where they make no place on Earth."""
    if not isinstance(value, tuple | list) or len(value) != 3:
        return None
    parts = [_number(part) for part in value]
    if any(part is None for part in parts):
        return None
    degrees = sum(part / 60**power for power, part in enumerate(parts) if part is not None)
    sign = -1 if (_text(reference) or "").upper() in ("S", "W") else 1
    return sign * degrees if 0 <= degrees <= limit else None
