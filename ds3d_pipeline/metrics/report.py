"""What the metrics stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class MetricsReport:
    """The word on the capture; the numbers are in `metrics.json`."""

    status: str
    """ok, degraded or failed."""
    reasons: str
    """All of them, one after the other."""
