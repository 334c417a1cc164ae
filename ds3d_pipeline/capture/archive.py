"""Zips of photos, unpacked without trusting their contents."""

from __future__ import annotations

import errno
import hashlib
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ds3d_pipeline.capture.names import PHOTO_SUFFIXES, natural_key, printable
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.picking import Picked, pick
from ds3d_pipeline.errors import IncompleteError, InputError, UnreadableError

_REPACK_REMEDY = "Pack the photos into a new zip, without a password and without links."
_COPY_REMEDY = "Copy the complete file again."
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    NotImplementedError,
    ValueError,
    RuntimeError,
    struct.error,
)
"""What zipfile raises for damaged files."""
_HEAD = 4096
MOST_PHOTO_BYTES = 1 << 30
"""A photo of 200 megapixels takes 600 MB without any compression."""
_SMALL_BYTES, _MOST_RATIO = 50_000_000, 200
"""Above this size and ratio of sizes a zip, or a file in it, is made to fill disks: photos hardly shrink."""
_UTF8_NAME_FLAG, _ENCRYPTED_FLAG = 0x800, 0x1
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """A photo from a zip: `name` its path in the zip, `path` the file it became, `sha256` its content's."""

    name: str
    path: Path
    sha256: str


def unpack_zip(path: Path, folder: Path, options: CaptureOptions) -> tuple[Unpacked, ...]:
    """All photos of the zip at `path`, in natural order, as `000001.jpg` and so on in the existing `folder`.

    Folders in the zip are flattened; what is left out is the same as of a folder (`picking`). Raises
    InputError for a damaged or encrypted zip, one with links or paths that lead outside, one without photos,
    and one beyond `options.max_files` or `options.max_bytes` (of unpacked content).
    """
    return tuple(_iter_zip(path, folder, options, [], at_once=sum))


def iter_zip(path: Path, folder: Path, options: CaptureOptions, unused: list[str]) -> Iterator[Unpacked]:
    """`unpack_zip` one photo at a time; the caller deletes each file before it asks for the next.

    What is left out by its name is added to `unused`, one sentence for each kind of file.
    """
    return _iter_zip(path, folder, options, unused, at_once=max)


def _iter_zip(
    path: Path, folder: Path, options: CaptureOptions, unused: list[str], at_once: Callable[[list[int]], int]
) -> Iterator[Unpacked]:
    """`at_once` says of the sizes of all photos how many bytes lie in the folder at the same time."""
    with open_zip(path) as archive:
        members = _photo_members(archive, path, options, unused)
        remaining = options.max_bytes
        _refuse_full_disk(at_once([member.file_size for _, member in members]), folder, path)
        for number, (name, member) in enumerate(members, 1):
            target = folder / f"{number:06d}{PurePosixPath(name).suffix.lower()}"
            with archive.open(member) as source, target.open("xb") as file:
                limit = min(remaining, MOST_PHOTO_BYTES)
                copied, sha256 = _copy_at_most(source, file, limit, path)
            remaining -= copied
            yield Unpacked(name=name, path=target, sha256=sha256)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip at `path`; damage is InputError while it is read, errors of the system stay what they are."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not a readable zip file ({error}).", _REPACK_REMEDY) from error
    except _DAMAGED as error:
        # Errors of the system have a number, those of bzip2 none; EINVAL: an entry points before the start.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        if _breaks_off(path):
            raise IncompleteError(
                f"{path.name} is not a readable zip file: its end is missing.", _COPY_REMEDY
            ) from error
        raise InputError(f"{path.name} is not a readable zip file ({error}).", _REPACK_REMEDY) from error


def _breaks_off(path: Path) -> bool:
    """Whether it begins as a zip does, or is not written yet, and has no directory at its end."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return (head.startswith(b"PK\x03\x04") or not any(head)) and not zipfile.is_zipfile(path)


def _photo_members(
    archive: zipfile.ZipFile, path: Path, options: CaptureOptions, unused: list[str]
) -> list[tuple[str, zipfile.ZipInfo]]:
    named = [(_name(member), member) for member in archive.infolist() if not member.is_dir()]
    for name, member in named:
        _refuse_trap(name, member, path)
    picked = _picked(named)
    unused += picked.unused
    chosen = set(picked.names)
    photos = [(name, member) for name, member in named if name in chosen]
    if not photos:
        raise InputError(f"{path.name} contains no photos.", "Use a zip that contains photos, or one video.")
    _refuse_excess(photos, path, options)
    return sorted(photos, key=lambda photo: natural_key(photo[0]))


def _picked(named: list[tuple[str, zipfile.ZipInfo]]) -> Picked:
    """As of a folder, but for a video: it cannot be the capture."""
    picked = pick(name for name, _ in named)
    photos = [name for name in picked.names if PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES]
    return Picked(names=tuple(photos), unused=picked.unused)


def _name(member: zipfile.ZipInfo) -> str:
    """The path as meant: macOS writes UTF-8 without a flag, Windows may write backslashes."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAME_FLAG:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    return printable(name.replace("\\", "/"))


def _refuse_trap(name: str, member: zipfile.ZipInfo, path: Path) -> None:
    is_outside = name.startswith("/") or ".." in name.split("/") or name[1:2] == ":"
    if is_outside:
        raise InputError(f"{path.name} contains a path outside of the archive ({name}).", _REPACK_REMEDY)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{path.name} contains a link ({name}).", _REPACK_REMEDY)
    if member.flag_bits & _ENCRYPTED_FLAG:
        raise InputError(f"{path.name} is password-protected.", _REPACK_REMEDY)


def _refuse_excess(photos: list[tuple[str, zipfile.ZipInfo]], path: Path, options: CaptureOptions) -> None:
    if len(photos) > options.max_files:
        cause = (
            f"{path.name} holds {len(photos)} photos, more than the {options.max_files} that are accepted."
        )
        raise InputError(cause, "Use fewer photos.")
    size = sum(member.file_size for _, member in photos)
    if size > options.max_bytes:
        raise _too_large(path)
    for name, member in photos:
        _refuse_large_photo(name, member, path)
    _refuse_swelling(size, path)


def _refuse_large_photo(name: str, member: zipfile.ZipInfo, path: Path) -> None:
    """By what the zip says of it; `_copy_at_most` counts what really comes out."""
    size, packed = member.file_size, max(member.compress_size, 1)
    if size > MOST_PHOTO_BYTES:
        cause = f"{path.name} contains a file of {size / 1e9:.1f} GB ({name}), too large for a photo."
        raise InputError(cause, "Leave it out, and pack the photos again.")
    if _swells(size, packed):
        cause = f"{path.name} contains a file that unpacks to {size // packed} times its size ({name})."
        raise InputError(cause, "Photos do not shrink so much. Leave it out, and pack the photos again.")


def _refuse_swelling(size: int, path: Path) -> None:
    """Against many files that are each small, or that share the same bytes of the zip."""
    packed = path.stat().st_size
    if _swells(size, packed):
        cause = f"{path.name} unpacks to {size // packed} times its size."
        raise InputError(cause, "Photos do not shrink so much. Pack the original photos.")


def _swells(size: int, packed: int) -> bool:
    return size > _SMALL_BYTES and size > _MOST_RATIO * packed


def _refuse_full_disk(needed: int, folder: Path, path: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        cause = f"{path.name} unpacks to {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in {folder}."
        raise UnreadableError(cause, "Free some space there.")


def _copy_at_most(source: IO[bytes], target: IO[bytes], limit: int, path: Path) -> tuple[int, str]:
    """Copies up to `limit` bytes, counting what really comes out; returns how many, and their SHA-256."""
    copied, digest = 0, hashlib.sha256()
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > limit:
            raise _too_large(path)
        target.write(chunk)
        digest.update(chunk)
    return copied, digest.hexdigest()


def _too_large(path: Path) -> InputError:
    return InputError(f"{path.name} unpacks to more than is accepted.", "Use fewer or smaller photos.")
