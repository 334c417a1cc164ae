"""What to type after a run: where its files are, how to see them, and what a better mode would take."""

from __future__ import annotations

import shlex
from pathlib import Path

from ds3d_pipeline.execution.forecast import expected_seconds, total_seconds
from ds3d_pipeline.execution.history import read_timings, workload_of
from ds3d_pipeline.metrics.record import Metrics, Status
from ds3d_pipeline.names import MODES
from ds3d_pipeline.programs.words import about
from ds3d_pipeline.stages.modes import MODES as MODE_OPTIONS
from ds3d_pipeline.storage.home import find_home


def next_steps(metrics: Metrics, folder: str) -> list[str]:
    """One line each; a path is never broken, so that it can be copied."""
    path = shlex.quote(str(Path(folder).absolute()))
    if metrics.status is Status.FAILED:
        return [f"files: {path}", f"why: ds3d open {path}"]
    return [f"files: {path}", f"look at it: ds3d view {path}", *_better_mode(metrics)]


def _better_mode(metrics: Metrics) -> list[str]:
    """The next better mode, and how long it should take here; nothing after the best one."""
    better = MODES[MODES.index(metrics.mode) + 1 :][:1]
    return [
        f"more detail: the same command with --mode {mode} ({_time_of(metrics, mode)})" for mode in better
    ]


def _time_of(metrics: Metrics, mode: str) -> str:
    home, options = find_home(), vars(MODE_OPTIONS[mode])
    work = workload_of(home, metrics.capture, mode, options, has_keyframes=True)
    return about(total_seconds(expected_seconds(mode, work, read_timings(home))))
