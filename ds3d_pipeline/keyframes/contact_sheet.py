"""The chosen frames on one small picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ds3d_pipeline.formats.images import read_thumbnail
from ds3d_pipeline.scene import Keyframe

MAX_BYTES = 48_000
"""Small enough to be inline in the asset's metadata."""
_MAX_PICTURES = 40
_SHEET_WIDTH, _GAP, _LABEL_HEIGHT = 960, 4, 14
_BACKGROUND, _TEXT = (24, 26, 30), (205, 210, 218)
_ATTEMPTS = tuple((scale, quality) for scale in (1.0, 0.8, 0.65, 0.5, 0.35) for quality in (80, 65, 50, 35))


def write_contact_sheet(path: Path, images: Path, frames: Sequence[Keyframe]) -> None:
    """JPEG of at most 48 kB with up to 40 of `frames`, evenly taken, under each its number and time.

    `images` is the folder that holds the frames' files.
    """
    count = min(len(frames), _MAX_PICTURES)
    numbers = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    shown = [frames[number] for number in numbers]
    sheet = _sheet(images, shown, [_label(int(n), frames[n]) for n in numbers])
    path.write_bytes(_small_jpeg(sheet))


def _label(number: int, frame: Keyframe) -> str:
    return f"{number + 1}" if frame.timestamp_s is None else f"{number + 1} · {frame.timestamp_s:.1f} s"


def _sheet(images: Path, frames: Sequence[Keyframe], labels: Sequence[str]) -> Image.Image:
    aspect = float(np.median([frame.size_wh[0] / frame.size_wh[1] for frame in frames]))
    columns = min(len(frames), max(1, round(math.sqrt(len(frames) * 1.6 / aspect))))
    rows = math.ceil(len(frames) / columns)
    width = min((_SHEET_WIDTH - _GAP) // columns - _GAP, 320)
    height = max(1, round(width / aspect))
    step_x, step_y = width + _GAP, height + _LABEL_HEIGHT + _GAP
    sheet = Image.new("RGB", (_GAP + columns * step_x, _GAP + rows * step_y), _BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for number, (frame, label) in enumerate(zip(frames, labels, strict=True)):
        x, y = _GAP + number % columns * step_x, _GAP + number // columns * step_y
        picture = read_thumbnail(images / frame.image, (width, height))
        sheet.paste(picture, (x + (width - picture.width) // 2, y + (height - picture.height) // 2))
        draw.text((x + width / 2, y + height + 1), label, _TEXT, font, anchor="ma")
    return sheet


def _small_jpeg(sheet: Image.Image) -> bytes:
    """The best of a few sizes and qualities that keeps `MAX_BYTES`; the smallest where none does."""
    data = b""
    for scale, quality in _ATTEMPTS:
        buffer = io.BytesIO()
        size = max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale))
        sheet.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data
