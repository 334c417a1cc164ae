"""A log line at least every ten seconds of a long stage, also where its program has nothing new to say."""

import time
from collections.abc import Callable
from pathlib import Path

from ds3d_pipeline.watch import StageState, stage_state

LOG_EVERY_S = 10.0


class ProgressLog:
    """Called often while a program runs; says what the stage's work folder tells of it."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._next = time.monotonic() + LOG_EVERY_S

    def __call__(self) -> None:
        """Says a line where one is due."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOG_EVERY_S
        self._say(progress_line(stage_state(self._folder)))


def progress_line(state: StageState) -> str:
    """Stage, backend, how far it is, for how long, how long still, and what it does."""
    left = "" if state.remaining_s is None else f", about {state.remaining_s:.0f} s left"
    doing = f": {state.message}" if state.message else ""
    return f"{state.stage}: {state.backend} at {state.fraction:.0%} after {state.seconds:.0f} s{left}{doing}"
