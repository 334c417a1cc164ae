"""What the user passed, checked and hashed in one pass over each file, before any work starts."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture import panorama
from ds3d_pipeline.capture.archive import MOST_PHOTO_BYTES, iter_zip
from ds3d_pipeline.capture.inputs import Inputs
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.photos import check_complete, is_panorama, read_photo, read_size_and_exif
from ds3d_pipeline.capture.video import missing_part, probe_video, shows_panorama
from ds3d_pipeline.errors import IncompleteError, InputError, UnreadableError
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.locks import IN_USE, locked
from ds3d_pipeline.storage.registrations import Content, ContentFile

_DEFAULTS = CaptureOptions()


def examine(inputs: Inputs, options: CaptureOptions = _DEFAULTS, scratch: Path | None = None) -> Content:
    """The files of `inputs`, opened, checked and hashed, so that unusable input is found within seconds.

    A video must give a frame; every photo must have a sound header and be complete, and the first usable
    one must decode. Photos that fail are left out with the reason as long as two remain. A zip counts as
    the photos in it, so the same photos in a folder give the same digest. Photos and zips are opened once;
    a video twice, since FFmpeg opens what it reads by itself.
    A zip is unpacked in `scratch`, photo by photo, by default where the system has its temporary files.
    Raises InputError where nothing usable remains or a bound of `options` is exceeded: UnreadableError
    where the files cannot be read at present, IncompleteError where they break off.
    """
    _refuse_excess(inputs, options)
    unused = list(inputs.unused)
    if inputs.kind == "video":
        files = (_checked_video(inputs, options),)
    else:
        files = _checked_photos(
            _packed(inputs, options, scratch, unused) if inputs.is_zip else _loose(inputs), options
        )
    sha256 = combined_sha256(file.sha256 for file in files if not file.left_out)
    bounds = dataclasses.asdict(options)
    return Content(kind=inputs.kind, files=files, sha256=sha256, bounds=bounds, unused=tuple(unused))


def combined_sha256(digests: Iterable[str]) -> str:
    """Hex digest over files that have these digests, in whatever order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _refuse_excess(inputs: Inputs, options: CaptureOptions) -> None:
    if len(inputs.files) > options.max_files:
        cause = f"{inputs.title} has {len(inputs.files)} photos, more than the limit of {options.max_files}."
        raise InputError(cause, "Use fewer photos.")
    size = sum(file.stat().st_size for file in inputs.files)
    if size > options.max_bytes:
        cause = f"{inputs.title} has {size} bytes, more than the limit of {options.max_bytes}."
        raise InputError(cause, "Use a shorter video, or fewer or smaller photos.")


def _refuse_small(name: str, size_wh: tuple[int, int], options: CaptureOptions) -> None:
    if min(size_wh) < options.min_side_px:
        cause = f"{name} is only {size_wh[0]}x{size_wh[1]} pixels; at least {options.min_side_px} are needed."
        raise InputError(cause, "Use the original at full size.")


def _checked_video(inputs: Inputs, options: CaptureOptions) -> ContentFile:
    (path,), (name,) = inputs.files, inputs.names
    found = path.stat()
    _, size_wh = probe_video(path)
    _refuse_small(name, size_wh, options)
    if panorama.has_shape(size_wh) and shows_panorama(path):
        raise panorama.refusal(name)
    digest = file_sha256(path)
    cut_off = missing_part(path).replace(path.name, name, 1)
    return ContentFile(
        name=name, bytes=found.st_size, mtime_ns=found.st_mtime_ns, sha256=digest, cut_off=cut_off
    )


@dataclass(frozen=True, kw_only=True)
class _Photo:
    """A photo that is not checked yet; `sha256` is empty until it is read."""

    name: str
    path: Path
    mtime_ns: int
    sha256: str = ""


def _loose(inputs: Inputs) -> Iterator[_Photo]:
    for name, path in zip(inputs.names, inputs.files, strict=True):
        yield _Photo(name=name, path=path, mtime_ns=path.stat().st_mtime_ns)


def _packed(
    inputs: Inputs, options: CaptureOptions, scratch: Path | None, unused: list[str]
) -> Iterator[_Photo]:
    """The zip's photos, only one of them on disk at a time."""
    (path,) = inputs.files
    mtime_ns = path.stat().st_mtime_ns
    temporary = tempfile.TemporaryDirectory(prefix="ds3d-", dir=scratch)
    with temporary as folder, locked(Path(folder) / IN_USE):
        for photo in iter_zip(path, Path(folder), options, unused):
            yield _Photo(name=photo.name, path=photo.path, mtime_ns=mtime_ns, sha256=photo.sha256)
            photo.path.unlink()


def _checked_photos(offered: Iterable[_Photo], options: CaptureOptions) -> tuple[ContentFile, ...]:
    """Raises InputError, about the first bad photo, where bad photos leave fewer than two."""
    files: list[ContentFile] = []
    refused: list[InputError] = []
    for photo in offered:
        file, error = _checked_photo(photo, options, decode=len(files) == len(refused))
        files.append(file)
        if error:
            refused.append(error)
    if refused and len(files) - len(refused) < 2:
        raise next((error for error in refused if isinstance(error, IncompleteError)), refused[0])
    return tuple(files)


def _checked_photo(
    photo: _Photo, options: CaptureOptions, *, decode: bool
) -> tuple[ContentFile, InputError | None]:
    data, error = b"", None
    sha256 = photo.sha256
    try:
        data = _read(photo.path)
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        _check_photo(photo.path, data, options, decode=decode)
    except UnreadableError:
        raise
    except InputError as caught:
        # The causes start with the name of the file on disk, which is not always the user's.
        error = type(caught)(photo.name + caught.cause.removeprefix(photo.path.name), caught.remedy)
    file = ContentFile(
        name=photo.name,
        bytes=len(data),
        mtime_ns=photo.mtime_ns,
        sha256=sha256,
        left_out=error.cause if error else "",
    )
    return file, error


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST_PHOTO_BYTES else None
    except OSError as error:
        cause = f"{path.name} cannot be read: {error.strerror}."
        raise UnreadableError(cause, "Check its permissions and its disk.") from error
    if data is None:
        cause = f"{path.name} has {size} bytes, too many for a photo."
        raise InputError(cause, "Leave it out, or export it again as JPEG.")
    return data


def _check_photo(path: Path, data: bytes, options: CaptureOptions, *, decode: bool) -> None:
    size_wh, _ = read_size_and_exif(path, data)
    _refuse_small(path.name, size_wh, options)
    check_complete(path, data)
    if is_panorama(path, data):
        raise panorama.refusal(path.name)
    if decode:
        read_photo(path, data)
