"""Uploads are checked and hashed beside the ticks: Dagster gives a tick a minute, a zip may take more."""

from __future__ import annotations

import threading
from concurrent.futures import Future, TimeoutError
from pathlib import Path

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.intake.accept import Checked, check
from ds3d_pipeline.intake.watched.entries import Entry


class Reader:
    """Reads one upload at a time in a thread of its own and remembers it until it is asked for again."""

    def __init__(self) -> None:
        self._under_way: tuple[Path, str | None, CaptureOptions] | None = None
        self._found: Future[Checked] = Future()

    def read(self, entry: Entry, options: CaptureOptions, wait_s: float) -> Checked | None:
        """The checked content, or None where that takes longer than `wait_s`: then ask again later.

        An entry with another path, stamp or options than the one under way takes its place. Raises
        InputError for what cannot be used.
        """
        key = (entry.path, entry.stamp, options)
        if self._under_way != key:
            self._under_way, self._found = key, Future()
            arguments = (self._found, entry.path, options)
            # A daemon thread: a stop of Dagster does not wait for it.
            threading.Thread(target=_fulfil, args=arguments, name="upload", daemon=True).start()
        try:
            checked = self._found.result(max(wait_s, 0.0))
        except TimeoutError:
            return None
        except BaseException:
            self._under_way = None
            raise
        self._under_way = None
        return checked


def _fulfil(found: Future[Checked], path: Path, options: CaptureOptions) -> None:
    try:
        found.set_result(check([path], options))
    except BaseException as error:
        found.set_exception(error)
