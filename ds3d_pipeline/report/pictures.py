"""The pictures that stages left in their bundles, made small enough to be embedded in the page."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.formats.images import read_size_wh, read_thumbnail, small_jpeg

MAX_SIDE_PX = 1600
MAX_BYTES = 180_000
"""Of one picture before base64; with `MAX_PICTURES` this bounds the page."""
MAX_PICTURES = 18


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stage may leave pictures: `pattern` below its bundle, at most `most`, evenly taken."""

    stage: str
    pattern: str
    group: str
    """Which figure of the page they belong to."""
    most: int = 1


PLACES: tuple[Place, ...] = (
    Place(stage="keyframes", pattern="contact_sheet.jpg", group="contact_sheet"),
    Place(stage="keyframes", pattern="sharpness.png", group="sharpness"),
    Place(stage="mesh", pattern="turntable.*", group="mesh"),
    Place(stage="mesh", pattern="preview.*", group="mesh"),
    Place(stage="splat", pattern="heldout/*.jpg", group="heldout", most=6),
    Place(stage="splat", pattern="preview.*", group="splat"),
    Place(stage="depth_maps", pattern="preview.jpg", group="depth"),
    Place(stage="poses", pattern="matches.*", group="matches"),
    Place(stage="splat", pattern="previews/*.jpg", group="training", most=4),
)
_KINDS = {".jpg": "jpeg", ".png": "png", ".webp": "webp", ".gif": "gif"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture as a data URI; `number` is its place among all of its pattern."""

    group: str
    number: int
    stem: str
    """The file's name without its suffix."""
    uri: str
    size_wh: tuple[int, int]


def collect_pictures(folders: Mapping[str, Path]) -> tuple[Picture, ...]:
    """What is there of `PLACES`, by the stages' bundle folders.

    Raises StageError for a file that is no picture.
    """
    found = [
        _read(path, place.group, number)
        for place in PLACES
        if place.stage in folders
        for number, path in _choose(folders[place.stage], place)
    ]
    return tuple(found[:MAX_PICTURES])


def _choose(folder: Path, place: Place) -> Iterator[tuple[int, Path]]:
    paths = sorted(path for path in folder.glob(place.pattern) if path.suffix in _KINDS)
    shown = min(len(paths), place.most)
    for step in range(shown):
        number = step * len(paths) // shown
        yield number, paths[number]


def _read(path: Path, group: str, number: int) -> Picture:
    size_wh = read_size_wh(path)
    if path.stat().st_size <= MAX_BYTES and max(size_wh) <= MAX_SIDE_PX:
        kind, data = _KINDS[path.suffix], path.read_bytes()
    else:
        small = read_thumbnail(path, (MAX_SIDE_PX, MAX_SIDE_PX))
        kind, data, size_wh = "jpeg", small_jpeg(small, MAX_BYTES), small.size
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(group=group, number=number, stem=path.stem, uri=uri, size_wh=size_wh)
