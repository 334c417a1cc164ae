"""The card of the stage `metrics`, which no program makes but the step itself."""

from __future__ import annotations

from ds3d_pipeline.metrics.options import MetricsOptions
from ds3d_pipeline.metrics.record import Status
from ds3d_pipeline.metrics.report import MetricsReport
from ds3d_pipeline.stages.stage import Gate, Product, Stage, Verdict
from ds3d_pipeline.storage.bundles import StageReport


def _status(report: StageReport) -> Verdict:
    result = report.read(MetricsReport)
    first = f": {result.reasons[0]}" if result.reasons else "."
    return Verdict(passed=result.status == Status.OK, text=f"{result.status}{first}")


CARD = Stage(
    name="metrics",
    label="Report",
    about="Status, reasons and numbers of a capture; publishes its files.",
    options=MetricsOptions,
    report=MetricsReport,
    code_version="2",
    reads=("capture", "keyframes", "poses", "depth_maps", "pointcloud", "mesh", "splat"),
    products=(
        Product(
            name="report.html",
            about="One page: what came out, how good it is, what to do better. Works offline.",
        ),
        Product(
            name="view.html",
            about="Mesh and splat, somewhat lighter, in one file that any browser shows, without network.",
        ),
        Product(
            name="metrics.json",
            about="Status, reasons, backends, attempts and all numbers, for other programs.",
        ),
    ),
    kinds=("json",),
    gates=(Gate(name="status_ok", about="The capture has the status `ok`.", judge=_status),),
)
