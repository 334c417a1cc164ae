"""Keyframes of photos: every readable one once, at the mode's size."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.photos import read_photo
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.images import gray_of, map_in_threads, shrunk, write_jpeg
from ds3d_pipeline.keyframes.focal import focal_px_from_exif
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.selection import spread_evenly
from ds3d_pipeline.keyframes.sharpness import MEASURE_SIDE_PX, sharpness
from ds3d_pipeline.keyframes.sharpness_plot import Chosen, PlotPoint
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.scene import Capture, Exif, Keyframe, Keyframes, SourceFile

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Developed:
    """A photo that was read, shrunk and written to `file`; `digest` is over its pixels."""

    source: SourceFile
    exif: Exif
    file: Path
    digest: str
    size_wh: tuple[int, int]
    sharpness: float


def photo_keyframes(capture: Capture, work: Work[KeyframesOptions]) -> Chosen:
    """Takes all photos in the capture's order, but only one of those with the same content.

    Beyond `options.max_photos` they are thinned out evenly, the sharpest of neighbours first. Raises
    InputError where none can be read.
    """
    different = list({source.sha256: source for source in reversed(capture.sources)}.values())[::-1]
    readable = _develop(different, work)
    if not readable:
        cause = f"None of the photos can be read ({capture.sources[0].name} and all others)."
        raise InputError(cause, "Export the photos again as JPEG.")
    unique = list({photo.digest: photo for photo in reversed(readable)}.values())[::-1]
    positions = spread_evenly([photo.sharpness for photo in unique], work.options.max_photos)
    kept = [unique[position] for position in positions]
    _discard({photo.file for photo in readable} - {photo.file for photo in kept})
    dropped = {
        "duplicate": len(capture.sources) - len(different) + len(readable) - len(unique),
        "unreadable": len(different) - len(readable),
    }
    keyframes = Keyframes(
        kind="photos",
        frames=_numbered(kept),
        considered=len(capture.sources),
        dropped={reason: count for reason, count in dropped.items() if count},
    )
    return Chosen(keyframes=keyframes, plot=_plot(capture, unique, kept), x_label="photo")


def _develop(sources: Sequence[SourceFile], work: Work[KeyframesOptions]) -> list[_Developed]:
    def develop(source: SourceFile) -> _Developed | None:
        try:
            photo = read_photo(work.input / "source" / source.file)
        except InputError as error:
            log.warning("%s is left out: %s", source.name, error.cause)
            return None
        rgb = shrunk(photo.rgb, work.options.max_side_px)
        file = work.output / "images" / f"{Path(source.file).stem}.developed"
        write_jpeg(file, rgb)
        return _Developed(
            source=source,
            exif=photo.exif,
            file=file,
            digest=hashlib.sha256(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest(),
            size_wh=(rgb.shape[1], rgb.shape[0]),
            sharpness=sharpness(gray_of(shrunk(rgb, MEASURE_SIDE_PX))),
        )

    report = work.progress.part(0.0, 0.98)
    developed: list[_Developed] = []
    for number, photo in enumerate(map_in_threads(develop, sources), 1):
        if photo is not None:
            developed.append(photo)
        report(number / len(sources), f"read {number} of {len(sources)} photos")
    return developed


def _discard(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()


def _numbered(kept: Sequence[_Developed]) -> tuple[Keyframe, ...]:
    """Gives the files their final names, and one camera number to photos with the same optics and size."""
    cameras: dict[tuple[object, ...], int] = {}
    frames: list[Keyframe] = []
    for number, photo in enumerate(kept, 1):
        exif = photo.exif
        optics = (exif.make, exif.model, exif.lens, exif.focal_mm, exif.focal_35mm, photo.size_wh)
        image = f"{number:06d}.jpg"
        photo.file.rename(photo.file.with_name(image))
        frames.append(
            Keyframe(
                image=image,
                source=photo.source.name,
                timestamp_s=None,
                sharpness=photo.sharpness,
                size_wh=photo.size_wh,
                camera=cameras.setdefault(optics, len(cameras)),
                focal_px=focal_px_from_exif(exif, photo.size_wh),
                source_size_wh=photo.source.size_wh,
                exif=exif,
            )
        )
    return tuple(frames)


def _plot(
    capture: Capture, unique: Sequence[_Developed], kept: Sequence[_Developed]
) -> tuple[PlotPoint, ...]:
    by_file = {photo.source.file: photo for photo in unique}
    taken = {photo.source.file for photo in kept}
    points: list[PlotPoint] = []
    for number, source in enumerate(capture.sources, 1):
        photo = by_file.get(source.file)
        points.append(
            PlotPoint(
                x=number,
                sharpness=photo.sharpness if photo else 0.0,
                chosen=source.file in taken,
                dropped=photo is None,
            )
        )
    return tuple(points)
