"""A log line at least every ten seconds, from a program's own progress."""

import json
import time
from collections.abc import Callable
from pathlib import Path

LOG_EVERY_S = 10.0


class ProgressLog:
    """Hands the last line of a growing `progress.jsonl` on, in words, when it is called and it is time."""

    def __init__(self, path: Path, tell: Callable[[str], object]) -> None:
        self._path = path
        self._tell = tell
        self._next = time.monotonic() + LOG_EVERY_S

    def __call__(self) -> None:
        if time.monotonic() < self._next or not self._path.exists():
            return
        self._next = time.monotonic() + LOG_EVERY_S
        lines = self._path.read_text(encoding="utf-8").splitlines()
        if lines:
            line = json.loads(lines[-1])
            self._tell(f"{line['fraction']:.0%} {line['message']}")
