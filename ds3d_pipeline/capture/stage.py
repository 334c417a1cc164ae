"""The capture stage: copies the user's files, as they were checked, under safe names."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ds3d_pipeline.capture.archive import unpack_zip
from ds3d_pipeline.capture.content import examine
from ds3d_pipeline.capture.inputs import Inputs, find_inputs
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.photos import read_size_and_exif
from ds3d_pipeline.capture.report import CaptureReport
from ds3d_pipeline.capture.video import probe_video
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import Capture, Exif, SourceFile
from ds3d_pipeline.storage.home import find_home
from ds3d_pipeline.storage.registrations import Content, ContentFile, Request

_CHUNK = 1 << 20
_AGAIN = "Run the same command again."


def stage_capture(work: Work[CaptureOptions]) -> CaptureReport:
    """INPUT/`request.json` (registrations.Request) -> OUTPUT/`capture.json` (scene.Capture) and `source/`.

    The files are copied, since the user may change or move theirs; those that were sent to the server are
    ours, and shared where they lie on the same disk. Raises InputError where they are no longer what was
    checked; what was registered without its content is checked here, as `examine` does.
    """
    request = read_json(work.input / "request.json", Request)
    inputs = find_inputs(request.paths)
    content = _current_content(inputs, request.content, work.options)
    (work.output / "source").mkdir()
    stage = _stage_video if inputs.kind == "video" else _stage_photos
    capture = stage(inputs, content, work)
    write_json(work.output / "capture.json", capture)
    work.progress(1.0, "copied")
    return CaptureReport(
        kind=capture.kind,
        files=len(capture.sources),
        bytes=sum(source.bytes for source in capture.sources),
        sha256=capture.sha256,
        skipped=content.skipped,
        cut_off=content.cut_off,
    )


def _current_content(inputs: Inputs, checked: Content | None, options: CaptureOptions) -> Content:
    """`checked`, or the files checked again if that was not done with these bounds."""
    if checked is None:
        return examine(inputs, options)
    if not inputs.is_zip:
        _refuse_other_names(checked.files, inputs.names)
    if checked.bounds == dataclasses.asdict(options):
        return checked
    again = examine(inputs, options)
    _refuse_other_names(checked.files, [file.name for file in again.files])
    for before, now in zip(checked.files, again.files, strict=True):
        if not before.left_out:
            _refuse_change(before, now.sha256)
    return again


def _stage_video(inputs: Inputs, content: Content, work: Work[CaptureOptions]) -> Capture:
    (path,), (file,) = inputs.files, content.files
    target = work.output / "source" / f"video{path.suffix.lower()}"
    _copy(path, target, file)
    info, size_wh = probe_video(target)
    source = _source(file, target, size_wh, Exif())
    return Capture(kind="video", sources=(source,), sha256=content.sha256, video=info)


def _stage_photos(inputs: Inputs, content: Content, work: Work[CaptureOptions]) -> Capture:
    targets = _unpacked(inputs, content, work) if inputs.is_zip else _copied(inputs, content, work)
    photos = zip(content.usable, targets, strict=True)
    sources = tuple(_source(file, target, *read_size_and_exif(target)) for file, target in photos)
    return Capture(kind="photos", sources=sources, sha256=content.sha256)


def _copied(inputs: Inputs, content: Content, work: Work[CaptureOptions]) -> list[Path]:
    listed = zip(inputs.files, content.files, strict=True)
    usable = [(path, file) for path, file in listed if not file.left_out]
    targets: list[Path] = []
    for number, (path, file) in enumerate(usable, 1):
        targets.append(work.output / "source" / f"{number:06d}{path.suffix.lower()}")
        _copy(path, targets[-1], file)
        work.progress(0.9 * number / len(usable), f"copying photo {number} of {len(usable)}")
    return targets


def _unpacked(inputs: Inputs, content: Content, work: Work[CaptureOptions]) -> list[Path]:
    photos = unpack_zip(inputs.files[0], work.output / "source", work.options)
    work.progress(0.6, "unpacked")
    now = [(photo.name, photo.sha256) for photo in photos]
    if now != [(file.name, file.sha256) for file in content.files]:
        raise _changed(inputs.names[0])
    for photo, file in zip(photos, content.files, strict=True):
        if file.left_out:
            photo.path.unlink()
    return [photo.path for photo, file in zip(photos, content.files, strict=True) if not file.left_out]


def _copy(source: Path, target: Path, checked: ContentFile) -> None:
    """Copies and hashes in one pass; what is ours already is only hashed."""
    try:
        sha256 = file_sha256(target) if _is_shared(source, target) else _copied_sha256(source, target)
    except FileNotFoundError as error:
        raise InputError(f"{checked.name} disappeared while it was being read.", "Start again.") from error
    _refuse_change(checked, sha256)


def _is_shared(source: Path, target: Path) -> bool:
    """Whether the target could be made a second name of the source. Never of a file of the user's."""
    if not source.resolve().is_relative_to(find_home().received.resolve()):
        return False
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        return False  # Another disk, or one without such names.
    return True


def _copied_sha256(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("xb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()


def _refuse_other_names(checked: Sequence[ContentFile], names: Sequence[str]) -> None:
    before = [file.name for file in checked]
    if before == list(names):
        return
    gone = [name for name in before if name not in names]
    added = [name for name in names if name not in before]
    what = f"{gone[0]} disappeared" if gone else f"{added[0]} was added" if added else f"{before[0]} changed"
    raise InputError(f"{what} since the files were checked.", _AGAIN)


def _refuse_change(checked: ContentFile, sha256: str) -> None:
    if sha256 != checked.sha256:
        raise _changed(checked.name)


def _changed(name: str) -> InputError:
    return InputError(f"{name} changed since it was checked.", _AGAIN)


def _source(file: ContentFile, path: Path, size_wh: tuple[int, int], exif: Exif) -> SourceFile:
    return SourceFile(
        name=file.name, file=path.name, sha256=file.sha256, size_wh=size_wh, bytes=file.bytes, exif=exif
    )
