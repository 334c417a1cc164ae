"""Which frames matched which, as one small picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ds3d_pipeline.poses.diagnosis.evidence import Evidence
from ds3d_pipeline.scene import Float64, UInt8

_SIDE_PX = 480
JPEG_QUALITY = 92
"""Keeps the one red cell of a frame among hundreds red."""
_LEFT, _TOP, _EDGE = 44, 56, 16
_PAPER, _INK = (255, 255, 255), (70, 76, 84)
_FEW, _MANY = np.array([205, 225, 243.0]), np.array([8, 76, 150.0])
_REGISTERED, _LOST = (150, 160, 172), (212, 68, 52)


def write_match_matrix(path: Path, evidence: Evidence) -> None:
    """JPEG: a cell a pair of frames, darker with more matches; the diagonal is red where not registered."""
    count = len(evidence.frames)
    cell = max(1, _SIDE_PX // count)
    size = max(count * cell, 240)
    image = Image.new("RGB", (_LEFT + size + _EDGE, _TOP + count * cell + _EDGE), _PAPER)
    draw = ImageDraw.Draw(image)
    colors = np.repeat(np.repeat(_cells(evidence), cell, axis=0), cell, axis=1)
    image.paste(Image.fromarray(colors), (_LEFT, _TOP))
    draw.rectangle((_LEFT - 1, _TOP - 1, _LEFT + count * cell, _TOP + count * cell), outline=_INK)
    _label(draw, evidence, cell)
    image.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)


def match_counts(evidence: Evidence) -> Float64:
    """(N, N) verified matches of every two frames, symmetric."""
    counts = np.zeros((len(evidence.frames),) * 2)
    for pair in evidence.pairs:
        counts[pair.first, pair.second] = counts[pair.second, pair.first] = pair.inliers
    return counts


def _cells(evidence: Evidence) -> UInt8:
    """(N, N, 3) colours, by the logarithm of the matches."""
    counts = match_counts(evidence)
    strength = np.log1p(counts) / max(float(np.log1p(counts.max())), 1e-9)
    mixed = _FEW + (_MANY - _FEW) * strength[..., None]
    colors = np.where(counts[..., None] > 0, mixed, _PAPER).round().astype(np.uint8)
    registered = evidence.model.images if evidence.model else frozenset()
    for index, frame in enumerate(evidence.frames):
        colors[index, index] = _REGISTERED if frame.image in registered else _LOST
    return colors


def _label(draw: ImageDraw.ImageDraw, evidence: Evidence, cell: int) -> None:
    counts, count = match_counts(evidence), len(evidence.frames)
    font, small = ImageFont.load_default(size=14), ImageFont.load_default(size=12)
    most = f"{int(counts.max())} matches at most" if evidence.pairs else "no pair matched"
    draw.text((_LEFT, 8), f"{len(evidence.pairs)} matched pairs, {most}", _INK, font)
    step = _round_step(count)
    for number in [1, *range(step, count + 1, step)] if step > 1 else range(1, count + 1):
        at = (number - 0.5) * cell
        draw.text((_LEFT + at, _TOP - 6), str(number), _INK, small, anchor="ms")
        draw.text((_LEFT - 8, _TOP + at), str(number), _INK, small, anchor="rm")


def _round_step(count: int) -> int:
    """About ten labels, at multiples of 1, 2 or 5 times a power of ten."""
    rough = max(count / 10, 1)
    power = 10 ** math.floor(math.log10(rough))
    return next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
