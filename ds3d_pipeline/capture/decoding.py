"""FFmpeg at work: a video file to decoded frames with their times, damage left out."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from ds3d_pipeline.capture.truncation import breaks_off
from ds3d_pipeline.errors import IncompleteError, InputError, UnreadableError
from ds3d_pipeline.programs.faults import stops_all

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

_OPEN_OPTIONS = {"format_whitelist": "mov,matroska,avi", "protocol_whitelist": "file"}
"""A playlist or script posing as a video must not make FFmpeg open other files or addresses."""
EXPORT_REMEDY = "Play it on your device; if it plays, export it again as MP4 (H.264) and pass that file."
_UNREADABLE = "Check its permissions and its disk."
_COPY_REMEDY = "Copy the complete file from your device again."


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its main video stream. Raises InputError, naming the file, where there is none."""
    import av
    from av.error import FFmpegError
    from av.video.stream import VideoStream

    try:
        if path.stat().st_size == 0:
            raise IncompleteError(f"{path.name} is empty (zero bytes).", _COPY_REMEDY)
        container = av.open(f"file:{path.absolute()}", options=dict(_OPEN_OPTIONS), metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        if isinstance(error, OSError) and stops_all(error):
            raise UnreadableError(f"{path.name} cannot be read: {error.strerror}.", _UNREADABLE) from error
        raise unusable(
            path, f"is not a readable video: it is damaged or of another kind ({error.strerror})"
        ) from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise InputError(f"{path.name} contains no video.", "Use a file that contains a video.")
        if stream.codec_context is None:
            raise InputError(f"{path.name} is in a video format that is not supported.", EXPORT_REMEDY)
        yield container, stream


def unusable(path: Path, why: str, remedy: str = _COPY_REMEDY) -> InputError:
    """The error to raise about a video: an IncompleteError where its end is, or may be, missing."""
    if breaks_off(path):
        return IncompleteError(f"{path.name} is incomplete: its end is missing.", _COPY_REMEDY)
    return InputError(" ".join(f"{path.name} {why}.".split()), remedy)


class Decoded(NamedTuple):
    """A frame as it is coded: not turned, not converted."""

    timestamp_s: float
    """Since the first frame."""
    frame: av.VideoFrame
    pixel_aspect: float
    """Width of a pixel by its height."""


class _DamageFoundError(Exception):
    """Ends a pass at the first corrupt packet or frame."""


def decoded_frames(path: Path, on_corrupt: Callable[[], None]) -> Iterator[Decoded]:
    """Good frames in display order, in the same number and with the same times in every run.

    Threads that each take a frame are fastest, but behind a corrupt packet they lose other frames in every
    run. So at the first one decoding starts over with threads that work on one frame. What the decoder paints
    over damaged parts of a frame may still differ.
    """

    def stop() -> None:
        raise _DamageFoundError

    given = 0
    try:
        with opened(path) as (container, stream):
            for decoded in frames_of(container, stream, "AUTO", stop):
                yield decoded
                given += 1
        return
    except _DamageFoundError:
        log.info("%s is damaged after frame %d", path.name, given)
    with opened(path) as (container, stream):
        yield from islice(frames_of(container, stream, "SLICE", on_corrupt), given, None)


def frames_of(
    container: InputContainer,
    stream: VideoStream,
    thread_type: Literal["AUTO", "SLICE"],
    on_corrupt: Callable[[], None],
    max_packets: int | None = None,
) -> Iterator[Decoded]:
    """One pass over a stream just opened, of at most `max_packets`; `on_corrupt` may end it by raising."""
    from av.error import EOFError as EndOfStream
    from av.error import FFmpegError

    stream.thread_type = thread_type
    clock = _Clock(container, stream)
    aspect = float(stream.sample_aspect_ratio or 1)
    for packet in islice(_packets(container, stream, on_corrupt), max_packets):
        clock.see(packet)
        try:
            frames = packet.decode()
        except EndOfStream:
            return
        except FFmpegError as error:
            log.debug("corrupt packet: %s", error)
            on_corrupt()
            continue
        for frame in frames:
            time = clock.time_of(frame)
            if frame.is_corrupt:
                on_corrupt()
            else:
                yield Decoded(time, frame, aspect)


def _packets(
    container: InputContainer, stream: VideoStream, on_corrupt: Callable[[], None]
) -> Iterator[av.Packet]:
    """The stream's packets and the empty one that flushes the decoder, also if the file is truncated."""
    import av
    from av.error import FFmpegError

    try:
        yield from container.demux(stream)
    except FFmpegError:
        on_corrupt()
        flush = av.Packet(0)
        flush.stream = stream
        yield flush


class _Clock:
    """Display times of decoded frames.

    AVI stores decoding times only, so there each frame takes the earliest time not yet taken. Where a file
    gives no time, or one that does not increase, the time goes on by one frame of the average rate.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._queue: list[int] | None = [] if container.format.name == "avi" else None
        self._time_base = stream.time_base or 1
        self._step_s = float(1 / (stream.average_rate or 30))
        self._first_s: float | None = None
        self._last_s = -self._step_s

    def see(self, packet: av.Packet) -> None:
        if self._queue is not None and packet.size and packet.dts is not None:
            heapq.heappush(self._queue, packet.dts)

    def time_of(self, frame: av.VideoFrame) -> float:
        ticks = frame.pts
        if self._queue is not None:
            ticks = heapq.heappop(self._queue) if self._queue else None
        time = self._last_s + self._step_s
        if ticks is not None:
            seconds = float(ticks * self._time_base)
            self._first_s = seconds if self._first_s is None else self._first_s
            if seconds - self._first_s > self._last_s:
                time = seconds - self._first_s
        self._last_s = time
        return time
