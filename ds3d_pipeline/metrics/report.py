"""The report of the metrics stage."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record


@report_record
class MetricsReport:
    """The result of the capture; the numbers are in `metrics.json`."""

    status: str
    """ok, degraded or failed."""
    reasons: tuple[str, ...]
    """What is missing or in doubt, the most important first."""
