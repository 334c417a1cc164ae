"""Which files of a folder or zip are the capture, by their names alone, and why the others are not.

Phones, cameras and other tools leave more than photos: Live Photos' short videos, smaller copies of the same
photos, masks, previews, raw files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ds3d_pipeline.capture.names import PHOTO_SUFFIXES, VIDEO_SUFFIXES, is_hidden, natural_key
from ds3d_pipeline.programs.words import listing, plural

MEDIA_SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES
RAW_SUFFIXES = frozenset((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw"))
_OTHER_PICTURES = frozenset((".jxl", ".gif", ".svg", ".psd", ".exr", ".hdr", ".jp2", ".tga"))
_OTHER_VIDEOS = frozenset((".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".flv", ".insv", ".360", ".lrv"))
_SMALLER = re.compile(r"(images|input|rgb|color)_[0-9]+")
_OVERLAYS = frozenset(("masks", "mask", "depth", "depths", "normals", "segmentation", "semantics", "alpha"))
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Picked:
    """`names` in the order given; `unused`: one sentence for each kind of file that is left out."""

    names: tuple[str, ...]
    unused: tuple[str, ...]


def pick(names: Iterable[str]) -> Picked:
    """Picks from relative POSIX paths: photos and videos, those at the top if there are any."""
    seen = [name for name in names if not is_hidden(name)]
    media = [name for name in seen if _suffix(name) in MEDIA_SUFFIXES]
    chosen, copies = _without_copies(media)
    chosen, deeper = _at_the_top(chosen)
    chosen, live = without_live_videos(chosen)
    return Picked(names=tuple(chosen), unused=(*copies, *deeper, *live, *_unreadable(seen)))


def _at_the_top(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    top = [name for name in names if "/" not in name]
    deeper = [name for name in names if "/" in name]
    if not top or not deeper:
        return names, ()
    count = plural(len(deeper), "file")
    return top, (f"{count} in folders beside the photos {_are(deeper)} not used: {_some(deeper)}.",)


def without_live_videos(names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Leaves out the short videos of Live Photos: each has a photo of the same name beside it."""
    photos = {_stem(name) for name in names if _suffix(name) in PHOTO_SUFFIXES}
    videos = [name for name in names if _suffix(name) in VIDEO_SUFFIXES]
    if not videos or not all(_stem(name) in photos for name in videos):
        return list(names), ()
    text = f"{plural(len(videos), 'video')} of Live Photos {_are(videos)} not used: {_some(videos)}."
    return [name for name in names if _suffix(name) not in VIDEO_SUFFIXES], (text,)


def _without_copies(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Leaves out folders with smaller copies (`images_2`), masks or depth of what is beside them."""
    parents = {str(PurePosixPath(name).parent) for name in names}
    copies = sorted((folder for folder in parents if _is_copy(folder, parents)), key=natural_key)
    if not copies:
        return names, ()
    text = f"{plural(len(copies), 'folder')} beside the photos {_are(copies)} not used: {_some(copies)}."
    return [name for name in names if str(PurePosixPath(name).parent) not in copies], (text,)


def _is_copy(folder: str, folders: set[str]) -> bool:
    path = PurePosixPath(folder)
    name = path.name.lower()
    if _SMALLER.fullmatch(name):
        return str(path.with_name(path.name.rsplit("_", 1)[0])) in folders
    return name in _OVERLAYS and any(PurePosixPath(f).parent == path.parent for f in folders if f != folder)


def _unreadable(names: list[str]) -> tuple[str, ...]:
    """Pictures and videos of kinds that are not read."""
    raw = [name for name in names if _suffix(name) in RAW_SUFFIXES]
    others = [name for name in names if _suffix(name) in _OTHER_PICTURES | _OTHER_VIDEOS]
    found: list[str] = []
    if raw:
        found.append(f"{plural(len(raw), 'raw photo')} cannot be read; export as JPEG: {_some(raw)}.")
    if others:
        found.append(f"{plural(len(others), 'file')} of other kinds cannot be read: {_some(others)}.")
    return tuple(found)


def _some(names: list[str]) -> str:
    ordered = sorted(names, key=natural_key)
    more = len(ordered) - _SHOWN
    return listing(ordered) if more <= 0 else f"{', '.join(ordered[:_SHOWN])} and {more} more"


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")).casefold()
