"""What the user passed: found, told apart and checked, before any work starts."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ds3d_pipeline.capture.archive import iter_zip
from ds3d_pipeline.capture.names import (
    PHOTO_SUFFIXES,
    VIDEO_SUFFIXES,
    is_hidden,
    natural_key,
    printable,
    slug,
)
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.photos import check_complete, read_photo, read_size_and_exif
from ds3d_pipeline.capture.video import probe_video
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.scene import CaptureKind

_ACCEPTED = (
    "Pass one video (mp4, mov, avi, mkv, webm), "
    "or photos (jpg, png, bmp, webp, tif, heic), a folder or a zip of them."
)
_DEFAULTS = CaptureOptions()


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One capture as the user's own files: one video, one zip of photos, or photos in natural order."""

    kind: CaptureKind
    files: tuple[Path, ...]
    names: tuple[str, ...]
    """How the user knows each file: its name, or its path inside the folder that was passed."""
    title: str
    """Stem of the file, or name of the folder, that the capture is named after."""
    skipped: tuple[str, ...] = ()
    """Why photos were left out, one sentence each, naming the photo."""

    @property
    def is_zip(self) -> bool:
        return self.files[0].suffix.lower() == ".zip"


def find_inputs(paths: Sequence[Path]) -> Inputs:
    """Tells what `paths` are: one video, or photos, folders of photos, or one zip of photos.

    A folder stands for the photos or the video right inside it, or where it has none, for those below it;
    hidden files are left out. Nothing is opened. Raises InputError for a missing or unsupported file, an
    empty folder, two videos, and a mixture.
    """
    if not paths:
        raise InputError("No input was given.", _ACCEPTED)
    found: dict[Path, tuple[str, Path]] = {}
    for path in paths:
        for name, file in _expanded(path):
            found.setdefault(file.resolve(), (name, file))
    named = sorted(found.values(), key=lambda item: natural_key(item[0]))
    _refuse_mixture([file for _, file in named])
    first = paths[0]
    return Inputs(
        kind="video" if _suffix(named[0][1]) in VIDEO_SUFFIXES else "photos",
        files=tuple(file for _, file in named),
        names=tuple(name for name, _ in named),
        title=first.resolve().name if first.is_dir() else first.stem,
    )


def check_upload(paths: Sequence[Path], options: CaptureOptions = _DEFAULTS) -> Inputs:
    """`find_inputs`, opened and looked at, so that unusable input is known within seconds.

    A video must give a frame; every photo must have a sound header and be complete, and the first usable
    one must decode. Photos that fail are left out and told in `skipped` as long as two remain.
    Raises InputError where nothing usable remains or a bound of `options` is exceeded.
    """
    inputs = find_inputs(paths)
    _refuse_excess(inputs, options)
    if inputs.kind == "video":
        _, size_wh = probe_video(inputs.files[0])
        _refuse_small(inputs.names[0], size_wh, options)
        return inputs
    if inputs.is_zip:
        return replace(inputs, skipped=_check_zip(inputs.files[0], options))
    offered = zip(inputs.names, inputs.files, strict=True)
    usable, skipped = usable_photos(offered, options)
    files, names = tuple(file for _, file in usable), tuple(name for name, _ in usable)
    return replace(inputs, files=files, names=names, skipped=skipped)


def usable_photos(
    offered: Iterable[tuple[str, Path]], options: CaptureOptions
) -> tuple[tuple[tuple[str, Path], ...], tuple[str, ...]]:
    """The (name, file) pairs that are sound photos, and a sentence for each that is not.

    Raises InputError, about the first bad photo, where bad photos leave fewer than two.
    """
    usable: list[tuple[str, Path]] = []
    refused: list[InputError] = []
    for name, file in offered:
        try:
            _check_photo(name, file, options, decode=not usable)
        except InputError as error:
            refused.append(error)
        else:
            usable.append((name, file))
    if refused and len(usable) < 2:
        raise refused[0]
    return tuple(usable), tuple(error.cause for error in refused)


def capture_sha256(files: Sequence[Path], options: CaptureOptions = _DEFAULTS) -> str:
    """Hex digest over the contents of `files`, whatever their names and order.

    A zip counts as the photos in it, so the same photos in a folder give the same digest.
    """
    return combined_sha256(digest for file in files for digest in _digests(file, options))


def combined_sha256(digests: Iterable[str]) -> str:
    """`capture_sha256` from the digests of the files."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def capture_id(inputs: Inputs, sha256: str) -> str:
    """`<slug of the title>-<8 hex digits>`: a safe name of file, folder and partition."""
    return f"{slug(inputs.title)}-{sha256[:8]}"


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def _expanded(path: Path) -> Iterator[tuple[str, Path]]:
    """The files that one argument stands for, each with the user's name for it."""
    shown = printable(str(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"{shown} does not exist.", "Check the path.") from error
    except OSError as error:
        raise InputError(f"{shown} cannot be read: {error.strerror}.", "Check the path.") from error
    if stat.S_ISDIR(mode):
        yield from _folder_files(path, shown)
    elif not stat.S_ISREG(mode):
        raise InputError(f"{shown} is neither a file nor a folder.", _ACCEPTED)
    elif _suffix(path) in PHOTO_SUFFIXES | VIDEO_SUFFIXES | {".zip"}:
        yield printable(path.name), path
    else:
        raise InputError(f"{printable(path.name)} is neither a video nor a photo by its suffix.", _ACCEPTED)


def _folder_files(folder: Path, shown: str) -> Iterator[tuple[str, Path]]:
    names = [name for name in _walk(folder, shown) if not is_hidden(name)]
    accepted = PHOTO_SUFFIXES | VIDEO_SUFFIXES
    media = [n for n in names if Path(n).suffix.lower() in accepted and (folder / n).is_file()]
    chosen = [name for name in media if "/" not in name] or media
    if not chosen:
        raise InputError(f"The folder {shown} contains no photos and no video.", _ACCEPTED)
    for name in chosen:
        yield printable(name), folder / name


def _walk(folder: Path, shown: str) -> Iterator[str]:
    """Relative POSIX paths of all files below `folder`, links to folders not followed."""

    def refuse(error: OSError) -> None:
        cause = f"The folder {shown} cannot be read: {error.strerror}."
        raise InputError(cause, "Check its permissions.") from error

    for parent, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            yield (Path(parent) / name).relative_to(folder).as_posix()


def _refuse_mixture(files: list[Path]) -> None:
    videos = [printable(file.name) for file in files if _suffix(file) in VIDEO_SUFFIXES]
    zips = [printable(file.name) for file in files if _suffix(file) == ".zip"]
    single = videos + zips
    if len(files) == 1 or not single:
        return
    if len(videos) > 1:
        raise InputError(
            f"{videos[0]} and {videos[1]} are two videos; a capture is one.", "Pass one of them."
        )
    other = next(name for file in files if (name := printable(file.name)) != single[0])
    raise InputError(f"{single[0]} and {other} cannot be one capture.", _ACCEPTED)


def _refuse_excess(inputs: Inputs, options: CaptureOptions) -> None:
    if len(inputs.files) > options.max_files:
        cause = f"{inputs.title} has {len(inputs.files)} photos, more than the {options.max_files} accepted."
        raise InputError(cause, "Pass fewer photos.")
    size = sum(file.stat().st_size for file in inputs.files)
    if size > options.max_bytes:
        cause = f"{inputs.title} has {size} bytes, more than the {options.max_bytes} accepted."
        raise InputError(cause, "Pass a shorter video, or fewer or smaller photos.")


def _refuse_small(name: str, size_wh: tuple[int, int], options: CaptureOptions) -> None:
    if min(size_wh) < options.min_side_px:
        cause = f"{name} is only {size_wh[0]}x{size_wh[1]} pixels; at least {options.min_side_px} are needed."
        raise InputError(cause, "Pass the original at full size.")


def _check_photo(name: str, file: Path, options: CaptureOptions, *, decode: bool) -> None:
    try:
        size_wh, _ = read_size_and_exif(file)
        _refuse_small(file.name, size_wh, options)
        check_complete(file)
        if decode:
            read_photo(file)
    except InputError as error:
        # The causes start with the name of the file on disk, which is not always the user's.
        raise InputError(name + error.cause.removeprefix(file.name), error.remedy) from error


def _check_zip(path: Path, options: CaptureOptions) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="ds3d-") as folder:
        return usable_photos(_unpacked_in_turn(path, Path(folder), options), options)[1]


def _unpacked_in_turn(path: Path, folder: Path, options: CaptureOptions) -> Iterator[tuple[str, Path]]:
    """The zip's photos, only one of them on disk at a time."""
    for photo in iter_zip(path, folder, options):
        yield photo.name, photo.path
        photo.path.unlink()


def _digests(file: Path, options: CaptureOptions) -> Iterator[str]:
    if _suffix(file) != ".zip":
        yield file_sha256(file)
        return
    with tempfile.TemporaryDirectory(prefix="ds3d-") as folder:
        for _, photo in _unpacked_in_turn(file, Path(folder), options):
            yield file_sha256(photo)
