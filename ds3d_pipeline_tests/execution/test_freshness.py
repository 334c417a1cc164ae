"""Which published files count as made, and which are made again."""

import pytest

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.execution.freshness import find_fresh, fingerprint
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline.storage.registrations import content_versions, upload_files
from ds3d_pipeline_tests.homes import make_home, put_bundle

CAPTURE = "wall-00000000"
RESULTS = {
    "capture": {"kind": "photos", "files": 3, "bytes": 9, "sha256": "0"},
    "keyframes": {
        "kept": 3,
        "considered": 3,
        "dropped": {},
        "median_sharpness": 0.2,
        "size": [640, 480],
        "cameras": 1,
    },
    "poses": {"registered": 3, "total": 3, "mean_reprojection_error_px": 0.5, "points": 90},
}


@pytest.fixture
def made(tmp_path):
    """Stereo maps that a missing model could not fill, and all that they depend on."""
    options = {stage: DepthOptions() for stage in STAGES}
    options["depth_maps"] = DepthOptions(fill_holes=True, model=str(tmp_path / "model.onnx"))
    home = make_home(tmp_path / "home")
    for name in ("request.json", "upload.json"):
        path = home.registered / CAPTURE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"inputs": [], "sha256": ""}')
    read = content_versions(upload_files(home, CAPTURE))
    for stage in ("capture", "keyframes", "poses"):
        mark = fingerprint(stage, options[stage], None, read)
        read = {stage: put_bundle(home, stage, CAPTURE, mark, result=RESULTS[stage]).data_version}
    stereo = (
        *plan_ladder("depth_maps", options["depth_maps"]).skipped,
        Attempt(backend="patchmatch", outcome="ok"),
    )
    mark = fingerprint("depth_maps", options["depth_maps"], None, read)
    result = {"maps": 3, "coverage": 0.5, "estimated": 0.0, "not_filled": "There is no model."}
    put_bundle(home, "depth_maps", CAPTURE, mark, attempts=stereo, result=result)
    return home, options, tmp_path / "model.onnx"


def test_maps_that_could_not_be_filled_are_made_again_once_there_is_a_model(made):
    home, options, model = made
    assert "depth_maps" in find_fresh(home, CAPTURE, options, {})
    model.write_bytes(b"a model")
    assert list(find_fresh(home, CAPTURE, options, {})) == ["capture", "keyframes", "poses"]


@pytest.mark.parametrize(("result", "fresh"), [(RESULTS["capture"], ["capture"]), ({"photos": 3}, [])])
def test_a_report_of_another_edition_counts_as_stale(tmp_path, result, fresh):
    home = make_home(tmp_path / "home")
    (home.registered / CAPTURE).mkdir(exist_ok=True)
    for name in ("request.json", "upload.json"):
        (home.registered / CAPTURE / name).write_text('{"inputs": [], "sha256": ""}')
    options = {stage: DepthOptions() for stage in STAGES} | {"capture": CaptureOptions()}
    read = content_versions(upload_files(home, CAPTURE))
    mark = fingerprint("capture", options["capture"], None, read)
    put_bundle(home, "capture", CAPTURE, mark, result=result)
    assert list(find_fresh(home, CAPTURE, options, {})) == fresh
