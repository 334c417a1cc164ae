"""What a run says at its end."""

import json

from ds3d_pipeline.cli.display import make_display
from ds3d_pipeline.metrics.record import metrics_json
from ds3d_pipeline_tests.report.metrics import make_metrics

POSES = {
    "registered": 3,
    "total": 4,
    "mean_reprojection_error_px": 0.456,
    "points": 9,
    "unregistered_text": "Not aligned: b.jpg.",
}
DEGRADED = make_metrics(
    status="degraded",
    reasons=["Something is missing."],
    poses=POSES,
    files={name: {"bytes": 2_500_000, "sha256": "0" * 64} for name in ("model.glb", "sparse/cameras.bin")},
)


def test_files_cameras_status_and_reasons_are_shown_at_the_end(capsys):
    make_display("wall", as_json=False).finish(DEGRADED, "/out/wall")
    shown = capsys.readouterr().out
    assert "model.glb  2.5 MB" in shown
    assert "cameras.bin" not in shown
    assert "aligned: 3 of 4 keyframes, 0.46 px\n  Not aligned: b.jpg.\n" in shown
    assert "status: degraded\n  Something is missing.\n" in shown


def test_json_lines_end_with_the_content_of_the_metrics(capsys):
    make_display("wall", as_json=True).finish(DEGRADED, "/out/wall")
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {"event": "result", "folder": "/out/wall", "metrics": metrics_json(DEGRADED)}
