"""Videos and photos of one known texture, along a known path."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from ds3d_pipeline.capture.photos import read_size_and_exif
from ds3d_pipeline.capture.video import probe_video
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.stage import choose_keyframes
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import Capture, Keyframes, SourceFile

WIDTH, HEIGHT = 320, 240
DIAGONAL = 400
TICKS_PER_S = 90_000


@cache
def texture(width: int = 4000, height: int = 400) -> np.ndarray:
    """(H, W, 3) noise in several sizes, so that it has corners at every scale."""
    rng = np.random.default_rng(7)
    total = np.zeros((height, width, 3), np.float32)
    for size, weight in ((2, 25), (6, 30), (20, 35), (70, 35)):
        grid = rng.standard_normal((height // size + 2, width // size + 2, 3)).astype(np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + total, 0, 255).astype(np.uint8)


def view(x: float, *, blur_px: int = 0) -> np.ndarray:
    """(240, 320, 3) of the texture from `x` pixels on, smeared sideways over `blur_px`."""
    matrix = np.array([[1, 0, -x], [0, 1, -40]], np.float32)
    image = cv2.warpAffine(texture(), matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    return cv2.blur(image, (blur_px, 1)) if blur_px else image


def write_video(
    path: Path, images: Sequence[np.ndarray], *, fps: int = 30, times_s: Sequence[float] | None = None
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "20", "preset": "veryfast"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.time_base = Fraction(1, TICKS_PER_S)
            frame.pts = round((times_s[number] if times_s else number / fps) * TICKS_PER_S)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_changing(path: Path, parts: Sequence[Sequence[np.ndarray]]) -> Path:
    """A WebM whose frames change their size, as browsers and screen recorders write it."""
    with av.open(path, "w") as out:
        track = out.add_stream("libvpx-vp9", rate=10)
        (track.height, track.width), track.pix_fmt = parts[0][0].shape[:2], "yuv420p"
        number = 0
        for part, images in enumerate(parts):
            height, width = images[0].shape[:2]
            coder = track.codec_context if part == 0 else av.CodecContext.create("libvpx-vp9", "w")
            if part:
                coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
                coder.time_base = Fraction(1, 10)
            packets = []
            for image in images:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                packets += coder.encode(frame)
            for packet in packets + coder.encode(None):
                packet.pts = packet.dts = number
                packet.time_base, packet.stream = Fraction(1, 10), track
                number += 1
                out.mux(packet)
    return path


def video_work(folder: Path, path: Path, options: KeyframesOptions | None = None) -> Work[KeyframesOptions]:
    """INPUT and OUTPUT of the stage for the video at `path`."""
    info, size_wh = probe_video(path)
    source = SourceFile(name=path.name, file=path.name, sha256="0", size_wh=size_wh, bytes=1)
    capture = Capture(kind="video", sources=(source,), sha256="0", video=info)
    return _work(folder, capture, [path], options)


def photo_work(
    folder: Path, paths: Sequence[Path], options: KeyframesOptions | None = None
) -> Work[KeyframesOptions]:
    """INPUT and OUTPUT of the stage for photos; files of the same bytes share their digest."""
    sources: list[SourceFile] = []
    for path in paths:
        size_wh, exif = read_size_and_exif(path)
        digest = str(hash(path.read_bytes()))
        sources.append(
            SourceFile(
                name=f"my {path.name}", file=path.name, sha256=digest, size_wh=size_wh, bytes=1, exif=exif
            )
        )
    return _work(folder, Capture(kind="photos", sources=tuple(sources), sha256="0"), paths, options)


def _work(
    folder: Path, capture: Capture, paths: Sequence[Path], options: KeyframesOptions | None
) -> Work[KeyframesOptions]:
    (folder / "in" / "source").mkdir(parents=True)
    (folder / "out").mkdir()
    write_json(folder / "in" / "capture.json", capture)
    for path in paths:
        (folder / "in" / "source" / path.name).hardlink_to(path)
    return Work(
        input=folder / "in",
        output=folder / "out",
        backend="local",
        options=options or KeyframesOptions(),
        progress=Progress(folder / "out" / "progress.jsonl"),
    )


def keyframes_of(work: Work[KeyframesOptions]) -> Keyframes:
    """Runs the stage and reads back what it wrote."""
    choose_keyframes(work)
    return read_json(work.output / "keyframes.json", Keyframes)
