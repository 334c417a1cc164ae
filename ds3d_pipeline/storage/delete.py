"""Everything that a home keeps of one capture, and its removal, which can be cut and repeated."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from ds3d_pipeline.names import STAGES
from ds3d_pipeline.storage.bundles import CURRENT
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.ownership import FAILED, foreign_files, read_marker, remove_ours
from ds3d_pipeline.storage.published import index_path, published_folders


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What a home keeps of a capture."""

    places: tuple[UPath, ...] = ()
    """Folders of bundles, of downloads and of the registration."""
    outputs: tuple[Path, ...] = ()
    """Finished folders with our marker."""
    foreign: tuple[Path, ...] = ()
    """Files in them that are the user's, and stay."""
    note: Path | None = None
    """The list of finished folders."""
    bytes: int = 0
    """Of all that is ours."""


def find_holdings(home: Home, capture: str, *, keep_outputs: bool = False) -> Holdings:
    """What `remove_holdings` would remove; nothing for a name that no folder could have."""
    if not _is_folder_name(capture):
        return Holdings()
    places = tuple(place for place in _places(home, capture) if place.exists())
    outputs = () if keep_outputs else tuple(published_folders(home, capture))
    foreign = tuple(path for folder in outputs for path in _foreign(folder))
    files = [path for place in (*places, *map(UPath, outputs)) for path in place.rglob("*") if path.is_file()]
    theirs = {str(path) for path in foreign}
    ours = sum(path.stat().st_size for path in files if str(path) not in theirs)
    note = index_path(home, capture)
    return Holdings(
        places=places,
        outputs=outputs,
        foreign=foreign,
        note=note if note.exists() and not keep_outputs else None,
        bytes=ours,
    )


def _is_folder_name(name: str) -> bool:
    """Whether joining it to a folder gives something directly inside; keys of earlier versions do, too."""
    return name not in ("", ".", "..") and not any(sign in name for sign in "/\\:\0")


def _places(home: Home, capture: str) -> Iterator[UPath]:
    for stage in STAGES:
        yield UPath(home.storage) / stage / capture
        yield UPath(home.root / "cache" / stage / capture)
    yield UPath(home.registered / capture)


def _foreign(folder: Path) -> Iterator[Path]:
    """A failed run's folder inside has a marker of its own."""
    inner = folder / FAILED
    for place in (inner, folder):
        marker = read_marker(place)
        if marker is not None:
            names = foreign_files(place, marker)
            yield from (
                place / name for name in names if place == inner or inner not in (place / name).parents
            )


def remove_holdings(holdings: Holdings) -> None:
    """The note of where the finished folders are goes after them, so that a second try finds them."""
    for folder in holdings.outputs:
        remove_ours(folder / FAILED)
        remove_ours(folder)
    for place in holdings.places:
        # Nothing counts from here on, so that no reader takes a half for a whole.
        (place / CURRENT).unlink(missing_ok=True)
        if isinstance(place, Path):
            shutil.rmtree(place)
        else:
            place.rmdir(recursive=True)
    if holdings.note:
        holdings.note.unlink(missing_ok=True)
