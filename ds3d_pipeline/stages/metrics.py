"""The card of the stage `metrics`, which no program makes but the step itself."""

from __future__ import annotations

from ds3d_pipeline.metrics.options import MetricsOptions
from ds3d_pipeline.metrics.report import MetricsReport
from ds3d_pipeline.stages.stage import Product, Stage

CARD = Stage(
    name="metrics",
    label="Report",
    about="Status, reasons and numbers of a capture; publishes its files.",
    options=MetricsOptions,
    report=MetricsReport,
    code_version="1",
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
)
