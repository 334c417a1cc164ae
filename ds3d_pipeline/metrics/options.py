"""The knobs of the metrics stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MetricsOptions:
    """Where the finished capture goes."""

    output: str = "outputs"
    """Folder that receives `<capture>/`."""
