"""What a run is doing, read from the files its stages leave behind: no channel, nothing to lose."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.storage.bundles import Attempt

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


@dataclass(frozen=True, kw_only=True)
class StageState:
    """`state` is waiting, reused, running, done or failed."""

    stage: str
    state: str
    backend: str = ""
    fraction: float = 0.0
    message: str = ""
    seconds: float = 0.0
    remaining_s: float | None = None


def stage_state(folder: Path, now: float | None = None) -> StageState:
    """The state of one stage of a run from its work folder `<work>/<run>/<stage>`."""
    file = folder / "attempts.json"
    if not file.exists():
        return StageState(stage=folder.name, state="waiting")
    attempts = read_json(file, tuple[Attempt, ...])
    tried = [a for a in attempts if a.outcome != "passed over"]
    if not tried:
        return StageState(stage=folder.name, state="waiting")
    last = tried[-1]
    if last.outcome == "started":
        elapsed = (time.time() if now is None else now) - file.stat().st_mtime
        return _running(folder, last.backend, elapsed)
    state = "done" if last.outcome == "ok" else "failed"
    seconds = sum(a.seconds for a in tried)
    return StageState(
        stage=folder.name, state=state, backend=last.backend, seconds=seconds, message=last.reason
    )


def _running(folder: Path, backend: str, elapsed: float) -> StageState:
    line = _last_line(folder / "output" / "progress.jsonl")
    fraction = float(line.get("fraction", 0.0))
    remaining = elapsed * (1 - fraction) / fraction if fraction > 0.02 else None
    return StageState(
        stage=folder.name,
        state="running",
        backend=backend,
        fraction=fraction,
        message=str(line.get("message", "")),
        seconds=elapsed,
        remaining_s=remaining,
    )


def _last_line(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    lines = [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line]
    return json.loads(lines[-1]) if lines else {}


Reader = Callable[[], list[StageState]]
