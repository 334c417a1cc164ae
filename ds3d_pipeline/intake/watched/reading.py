"""Uploads are checked and hashed beside the ticks: Dagster gives a tick a minute, a zip may take more."""

from __future__ import annotations

import threading
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.inputs import Inputs, capture_sha256, check_upload
from ds3d_pipeline.capture.names import printable
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.watched.entries import Entry


@dataclass(frozen=True, kw_only=True)
class Content:
    """A usable upload and the digest of what is in it."""

    inputs: Inputs
    sha256: str


class Reader:
    """Reads one upload at a time in a thread of its own and remembers it until it is asked for again."""

    def __init__(self) -> None:
        self._under_way: tuple[Path, str | None] | None = None
        self._found: Future[Content] = Future()

    def read(self, entry: Entry, known_sha256: str, wait_s: float) -> Content | None:
        """The content, or None where that takes longer than `wait_s`: then ask again later.

        An entry with another path or stamp than the one under way takes its place. `known_sha256` is not
        computed again. Raises InputError for what cannot be used.
        """
        key = (entry.path, entry.stamp)
        if self._under_way != key:
            self._under_way, self._found = key, Future()
            arguments = (self._found, entry.path, known_sha256)
            # A daemon thread: a stop of Dagster does not wait for it.
            threading.Thread(target=_fulfil, args=arguments, name="upload", daemon=True).start()
        try:
            content = self._found.result(max(wait_s, 0.0))
        except TimeoutError:
            return None
        except BaseException:
            self._under_way = None
            raise
        self._under_way = None
        return content


def _fulfil(found: Future[Content], path: Path, known_sha256: str) -> None:
    try:
        found.set_result(_read(path, known_sha256))
    except BaseException as error:
        found.set_exception(error)


def _read(path: Path, known_sha256: str) -> Content:
    try:
        inputs = check_upload([path])
        return Content(inputs=inputs, sha256=known_sha256 or capture_sha256(inputs.files))
    except OSError as error:
        name = printable(path.name)
        raise InputError(f"{name} cannot be read: {error.strerror}.", "Check its permissions.") from error
