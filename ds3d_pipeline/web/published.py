"""What was published of a job: its finished folder, and what `metrics.json` there says."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.ownership import FAILED
from ds3d_pipeline.storage.published import published_folders

METRICS = "metrics.json"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A folder with our marker, and its metrics."""

    folder: Path
    metrics: Mapping[str, Any]

    def file(self, name: str) -> Path | None:
        """A file that the metrics list, or they themselves; None for any other name, and for what is gone."""
        if name != METRICS and name not in self.metrics["files"]:
            return None
        path = self.folder / name
        return path if _is_plain_file(path, self.folder) else None


def _is_plain_file(path: Path, folder: Path) -> bool:
    """Whether it is in the folder itself: no link leads out of it."""
    try:
        inside = path.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
        return inside and stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def find_published(home: Home, capture: str) -> Published | None:
    """The latest finished folder of a capture that can be read; None where there is none."""
    return _latest([read for folder in published_folders(home, capture) if (read := _read(folder))])


def find_failure(home: Home, capture: str) -> Published | None:
    """What the latest failed run left, beside an earlier result or in its place."""
    folders = [place for folder in published_folders(home, capture) for place in (folder, folder / FAILED)]
    read = [read for folder in folders if (read := _read(folder))]
    return _latest([published for published in read if published.metrics["status"] == "failed"])


def _latest(found: list[Published]) -> Published | None:
    return max(found, key=lambda read: (read.folder / METRICS).stat().st_mtime, default=None)


def _read(folder: Path) -> Published | None:
    try:
        metrics: Any = json.loads((folder / METRICS).read_bytes())
    except (OSError, ValueError):
        return None
    needed = {"status", "mode", "reasons", "files", "stages"}
    is_ours = isinstance(metrics, dict) and needed <= metrics.keys()
    return Published(folder=folder, metrics=metrics) if is_ours else None
