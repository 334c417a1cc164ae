"""The capture stage: checks the user's files and copies them under safe names."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.archive import unpack_zip
from ds3d_pipeline.capture.inputs import Inputs, check_upload, combined_sha256, usable_photos
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.photos import read_size_and_exif
from ds3d_pipeline.capture.report import CaptureReport
from ds3d_pipeline.capture.video import probe_video
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import Capture, Exif, SourceFile
from ds3d_pipeline.storage.registrations import Request


@dataclass(frozen=True, kw_only=True)
class _Offered:
    """The photos in `source/` and the digests of all that were passed, usable or not."""

    photos: tuple[tuple[str, Path], ...]
    digests: tuple[str, ...]
    skipped: tuple[str, ...]


def stage_capture(work: Work[CaptureOptions]) -> CaptureReport:
    """INPUT/`request.json` (uploads.Request) -> OUTPUT/`capture.json` (scene.Capture) and `source/`.

    The files are copied, since the user may change or move theirs. Raises InputError as `check_upload`.
    """
    request = read_json(work.input / "request.json", Request)
    inputs = check_upload([Path(path) for path in request.inputs], work.options)
    (work.output / "source").mkdir()
    stage = _stage_video if inputs.kind == "video" else _stage_photos
    capture, skipped = stage(inputs, work)
    write_json(work.output / "capture.json", capture)
    work.progress(1.0, "staged")
    return CaptureReport(
        kind=capture.kind,
        files=len(capture.sources),
        bytes=sum(source.bytes for source in capture.sources),
        sha256=capture.sha256,
        skipped=skipped,
    )


def _stage_video(inputs: Inputs, work: Work[CaptureOptions]) -> tuple[Capture, tuple[str, ...]]:
    target = work.output / "source" / f"video{inputs.files[0].suffix.lower()}"
    _copy(inputs.files[0], target)
    info, size_wh = probe_video(target)
    source = _source(inputs.names[0], target, size_wh, Exif(), file_sha256(target))
    return Capture(kind="video", sources=(source,), sha256=combined_sha256([source.sha256]), video=info), ()


def _stage_photos(inputs: Inputs, work: Work[CaptureOptions]) -> tuple[Capture, tuple[str, ...]]:
    offered = _unpacked(inputs, work) if inputs.is_zip else _copied(inputs, work)
    sources = tuple(_photo_source(name, path) for name, path in offered.photos)
    sha256 = combined_sha256(offered.digests)
    return Capture(kind="photos", sources=sources, sha256=sha256), offered.skipped


def _copied(inputs: Inputs, work: Work[CaptureOptions]) -> _Offered:
    targets: list[Path] = []
    for number, file in enumerate(inputs.files, 1):
        targets.append(work.output / "source" / f"{number:06d}{file.suffix.lower()}")
        _copy(file, targets[-1])
        work.progress(0.9 * number / len(inputs.files), "copying photos")
    photos = tuple(zip(inputs.names, targets, strict=True))
    return _Offered(photos=photos, digests=_digests(targets), skipped=inputs.skipped)


def _unpacked(inputs: Inputs, work: Work[CaptureOptions]) -> _Offered:
    unpacked = unpack_zip(inputs.files[0], work.output / "source", work.options)
    work.progress(0.6, "unpacked")
    digests = _digests([photo.path for photo in unpacked])
    usable, skipped = usable_photos([(photo.name, photo.path) for photo in unpacked], work.options)
    kept = {path for _, path in usable}
    for photo in unpacked:
        if photo.path not in kept:
            photo.path.unlink()
    return _Offered(photos=usable, digests=digests, skipped=skipped)


def _digests(files: Sequence[Path]) -> tuple[str, ...]:
    return tuple(file_sha256(file) for file in files)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise InputError(f"{source.name} disappeared while it was read.", "Start again.") from error


def _photo_source(name: str, path: Path) -> SourceFile:
    size_wh, exif = read_size_and_exif(path)
    return _source(name, path, size_wh, exif, file_sha256(path))


def _source(name: str, path: Path, size_wh: tuple[int, int], exif: Exif, sha256: str) -> SourceFile:
    size = path.stat().st_size
    return SourceFile(name=name, file=path.name, sha256=sha256, size_wh=size_wh, bytes=size, exif=exif)
