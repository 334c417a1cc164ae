"""Videos to upright 8-bit RGB frames with their true times."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ds3d_pipeline.capture import panorama
from ds3d_pipeline.capture.decoding import EXPORT_REMEDY, Decoded, decoded_frames, frames_of, opened, unusable
from ds3d_pipeline.capture.tonemap import TRANSFER_BY_CODE, sdr_from_hdr
from ds3d_pipeline.capture.truncation import breaks_off
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.scene import UInt8, VideoInfo

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

_UNSPECIFIED, _BT709 = 2, 1
_PROBE_PACKETS = 600
"""A video none of whose first packets gives a frame is given up, so that the answer comes in seconds."""


@dataclass(frozen=True, kw_only=True)
class VideoFrame:
    """One decoded frame: `rgb` (H, W, 3) upright, `timestamp_s` since the first frame."""

    index: int
    """Position among the decodable frames, in display order."""
    timestamp_s: float
    rgb: UInt8
    full_size_wh: tuple[int, int]
    """Upright, before it was scaled down, pixels; it may change within a video."""


def probe_video(path: Path) -> tuple[VideoInfo, tuple[int, int]]:
    """The container's and first frame's facts, and the upright size (width, height) in pixels.

    Raises InputError if the file is not a readable video or its start has no frame.
    """
    with opened(path) as (container, stream):
        first = next(frames_of(container, stream, "SLICE", lambda: None, _PROBE_PACKETS), None)
        if first is None:
            raise unusable(path, "contains no frame that can be decoded", EXPORT_REMEDY)
        frame = first.frame
        info = VideoInfo(
            codec=stream.codec_context.name,
            frames=stream.frames,
            duration_s=_duration_s(container, stream),
            rotation_deg=-round(frame.rotation / 90) * 90 % 360,
            is_hdr=frame.color_trc in TRANSFER_BY_CODE,
        )
        width, height = _coded_size(first, None)
    return info, (height, width) if info.rotation_deg in (90, 270) else (width, height)


def shows_panorama(path: Path) -> bool:
    """Whether one of three frames at the start, half a second apart or so, closes to 360 degrees."""
    frames = islice(iter_frames(path, max_side_px=panorama.SIDE_PX), 0, 31, 15)
    return any(panorama.closes(frame.rgb) for frame in frames)


def missing_part(path: Path) -> str:
    """How much of a video can be read, one sentence, where its end is missing; empty where it is whole.

    Every packet is read and none decoded. Raises InputError where the file is no readable video.
    """
    if not breaks_off(path):
        return ""
    readable_s, declared_s, frame_s = _times_s(path)
    if declared_s - readable_s < 0.5 * frame_s:
        return ""
    return f"{path.name} is cut off: {readable_s:.1f} of {declared_s:.1f} s can be read."


def _times_s(path: Path) -> tuple[float, float, float]:
    """Seconds that can be read, that the file says it has, and of one frame."""
    from av.error import FFmpegError

    begin_s, end_s = float("inf"), 0.0
    with opened(path) as (container, stream):
        frame_s = float(1 / (stream.average_rate or 30))
        ticks_s = float(stream.time_base or 1)
        with contextlib.suppress(FFmpegError):  # Here the file breaks off.
            for packet in container.demux(stream):
                time = packet.pts if packet.pts is not None else packet.dts
                if time is not None and packet.size and not packet.is_corrupt:
                    begin_s = min(begin_s, time * ticks_s)
                    end_s = max(end_s, time * ticks_s + (packet.duration or 0) * ticks_s or frame_s)
        declared_s = stream.duration * ticks_s if stream.duration else (container.duration or 0) / 1e6
    return max(0.0, end_s - begin_s), declared_s, frame_s


def iter_frames(
    path: Path, *, max_side_px: int | None = None, on_corrupt: Callable[[], None] | None = None
) -> Iterator[VideoFrame]:
    """Every decodable frame in display order, scaled down so that its longer side is at most `max_side_px`.

    Timestamps strictly increase from 0 and are those of the file, also at a variable frame rate. Ten-bit
    video is converted, HDR (PQ, HLG) tone-mapped. Corrupt packets and frames are left out; `on_corrupt` is
    called for each. Raises InputError if the file is not a readable video or has no frame at all.
    """
    corrupt = 0

    def count() -> None:
        nonlocal corrupt
        corrupt += 1
        if on_corrupt is not None:
            on_corrupt()

    index = -1
    for index, decoded in enumerate(decoded_frames(path, count)):
        yield _video_frame(index, decoded, max_side_px)
    if index < 0:
        raise InputError(f"{path.name} contains no frame that can be decoded.", EXPORT_REMEDY)
    if corrupt:
        log.warning("%s: left out %d corrupt packets or frames", path.name, corrupt)


def frames_at(path: Path, indices: Sequence[int], *, max_side_px: int | None = None) -> Iterator[VideoFrame]:
    """The frames of these indices (as `iter_frames` counts them, ascending), at full size by default.

    Raises ValueError where `indices` do not ascend or the video ends before the last of them.
    """
    wanted = list(indices)
    if any(b <= a for a, b in pairwise(wanted)) or (wanted and wanted[0] < 0):
        raise ValueError(f"indices must ascend from 0 or above, got {wanted[:8]}")
    remaining = iter(wanted)
    target = next(remaining, None)
    candidates = islice(decoded_frames(path, lambda: None), wanted[-1] + 1 if wanted else 0)
    for index, decoded in enumerate(candidates):
        if index == target:
            yield _video_frame(index, decoded, max_side_px)
            target = next(remaining, None)
    if target is not None:
        raise ValueError(f"{path.name} has no frame {target}")


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    """According to the container; 0 if it does not give it."""
    if container.duration is not None:
        return container.duration / 1_000_000
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return 0.0


def _video_frame(index: int, decoded: Decoded, max_side_px: int | None) -> VideoFrame:
    size_wh = _coded_size(decoded, max_side_px)
    rgb = _upright_rgb(decoded.frame, size_wh)
    full_wh = _coded_size(decoded, None)
    return VideoFrame(
        index=index,
        timestamp_s=decoded.timestamp_s,
        rgb=rgb,
        full_size_wh=full_wh if rgb.shape[1::-1] == size_wh else (full_wh[1], full_wh[0]),
    )


def _coded_size(decoded: Decoded, max_side_px: int | None) -> tuple[int, int]:
    """Width and height before rotation, with square pixels, at most `max_side_px`."""
    width, height = round(decoded.frame.width * decoded.pixel_aspect), decoded.frame.height
    scale = min(1.0, (max_side_px or max(width, height)) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _upright_rgb(frame: av.VideoFrame, size_wh: tuple[int, int]) -> UInt8:
    transfer = TRANSFER_BY_CODE.get(frame.color_trc)
    is_untagged_hd = frame.colorspace == _UNSPECIFIED and frame.height >= 720
    converted = frame.reformat(
        width=size_wh[0],
        height=size_wh[1],
        format="rgb48le" if transfer else "rgb24",
        src_colorspace=_BT709 if is_untagged_hd else None,
        interpolation="BICUBIC" if size_wh == (frame.width, frame.height) else "AREA",
    ).to_ndarray()
    if transfer:
        rgb = sdr_from_hdr(converted.astype(np.uint16, copy=False), transfer)
    else:
        rgb = converted.astype(np.uint8, copy=False)
    return np.ascontiguousarray(_upright(rgb, frame))


def _upright(rgb: UInt8, frame: av.VideoFrame) -> UInt8:
    """Applies the display matrix of ISO/IEC 14496-12, rounded to quarter turns and mirrorings.

    A pixel (x, y) goes to (a x + c y, b x + d y).
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return rgb
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        rgb, x_sign, y_sign = rgb.transpose(1, 0, 2), c, b
    else:
        x_sign, y_sign = a, d
    return rgb[:: -1 if y_sign < 0 else 1, :: -1 if x_sign < 0 else 1]
