"""Small videos and photos with known content, written by the tests themselves."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

TICKS_PER_S = 90_000
AVI_TICKS_PER_S = 30
"""AVI counts frames; a finer clock would fill it with empty ones."""
CORNERS = np.array([[(250, 250, 250), (220, 30, 30)], [(30, 160, 40), (30, 40, 220)]], np.uint8)
"""White, red / green, blue: tells all turns and mirrorings apart."""


def corner_image(width: int = 96, height: int = 64) -> np.ndarray:
    """(H, W, 3) with one colour of `CORNERS` in each quadrant."""
    return np.ascontiguousarray(np.kron(CORNERS, np.ones((height // 2, width // 2, 1), np.uint8)))


def corners_of(rgb: np.ndarray) -> np.ndarray:
    """(2, 2, 3) colours in the middles of the four quadrants."""
    height, width = rgb.shape[:2]
    return rgb[height // 4 :: height // 2, width // 4 :: width // 2].astype(int)


def write_video(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    ticks: Sequence[int] | None = None,
    codec: str = "libx264",
    rotation_deg: int = 0,
    mirrored: bool = False,
    options: dict[str, str] | None = None,
    index_first: bool = False,
) -> Path:
    """`ticks` are presentation times in 1/90000 s; `rotation_deg` is FFmpeg's, counter-clockwise."""
    height, width = images[0].shape[:2]
    ticks_per_s = AVI_TICKS_PER_S if path.suffix == ".avi" else TICKS_PER_S
    flags = {"movflags": "+faststart"} if index_first else {}
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, ticks_per_s)
        if codec == "mpeg4":
            stream.bit_rate = 8_000_000
        if rotation_deg or mirrored:
            stream.set_display_rotation(rotation_deg, hflip=mirrored)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.time_base = Fraction(1, ticks_per_s)
            frame.pts = ticks[number] if ticks else number * ticks_per_s // 30
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


X265 = "log-level=none:qp=4:bframes=0"
"""Without B-frames: in so short a stream x265 now and then gives them times that no file can hold."""


def write_ten_bit(
    path: Path, yuv: Sequence[tuple[int, int, int]], *, transfer: int = 1, matrix: int = 1
) -> Path:
    """One flat 10-bit frame per (Y, Cb, Cr), tagged with AVColorTransferCharacteristic and AVColorSpace."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=30, options={"x265-params": X265})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.colorspace = transfer, matrix
        context.color_primaries, context.color_range = matrix, 1
        for number, values in enumerate(yuv):
            frame = av.VideoFrame(96, 64, "yuv420p10le")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            for plane, value in zip(frame.planes, values, strict=True):
                plane.update(np.full(plane.buffer_size // 2, value, "<u2").tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def gray_images(levels: Sequence[int], width: int = 96, height: int = 64) -> list[np.ndarray]:
    """Flat images, so that a decoded frame tells its number."""
    return [np.full((height, width, 3), level, np.uint8) for level in levels]


def noise_images(count: int, width: int = 320, height: int = 240) -> list[np.ndarray]:
    """Images that compress badly, so that a file has something to break."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (count, height // 4, width // 4, 3), np.uint8)
    return [np.kron(image, np.ones((4, 4, 1), np.uint8)) for image in small]


def write_photo(path: Path, image: np.ndarray | None = None, exif: Image.Exif | None = None) -> Path:
    """`image` (corner colours by default) in the format of the suffix, nearly without loss."""
    register_heif_opener()
    picture = Image.fromarray(corner_image() if image is None else image)
    suffix = path.suffix.lower()
    options = {"quality": 95} if suffix in (".jpg", ".jpeg", ".webp", ".heic") else {}
    kwargs = {"exif": exif.tobytes()} if exif is not None else {}
    picture.save(path, **options, **kwargs)
    return path
