"""Filling as a part of the depth program, and what it does to the mesh of a room in nearly even paint."""

import json
import shutil

import numpy as np
import pytest

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.depth.stage import fill_holes, patchmatch_depth
from ds3d_pipeline.evaluation.accuracy import surface_accuracy
from ds3d_pipeline.formats.colmap import read_depth_maps, write_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.alignment import Sim3
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.stage import poisson
from ds3d_pipeline.pointcloud.options import PointcloudOptions
from ds3d_pipeline.pointcloud.stage import fuse
from ds3d_pipeline.programs.contract import Progress, Work, program_main
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.synthetic.capture import load_truth
from ds3d_pipeline_tests.depth.onnx_models import stand_in, weighted_colors
from ds3d_pipeline_tests.depth.scenes import film

pytestmark = pytest.mark.slow

IDENTITY = Sim3(scale=1.0, R=np.eye(3), t=np.zeros(3))
SIDE = 320


def filmed_input(folder, name, frames, side):
    filmed = film(folder, name, frames=frames, size_wh=(side, side * 3 // 4), arc_deg=60.0)
    write_reconstruction(folder / "sparse", filmed.model)
    return filmed


def stage(folder, options):
    """One folder is input and output, as the bundles of a capture are joined."""
    return Work(input=folder, output=folder, backend="", options=options, progress=Progress(None))


def knowing(folder, filmed):
    photos = [read_rgb(filmed.images / view.image) for view in filmed.model.views]
    return str(stand_in(folder / "model.onnx", photos, filmed.depths))


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """The painted room with its stereo maps, and the same with filled holes."""
    plain = tmp_path_factory.mktemp("painted")
    filmed = filmed_input(plain, "painted", 8, SIDE)
    report = patchmatch_depth(stage(plain, DepthOptions(max_side_px=SIDE)))
    filled = plain.with_name("filled")
    shutil.copytree(plain, filled)
    options = DepthOptions(max_side_px=SIDE, fill_holes=True, model=knowing(plain, filmed))
    return filmed, plain, filled, fill_holes(stage(filled, options), filmed.model, report)


def scores(folder):
    fuse(stage(folder, PointcloudOptions()))
    poisson(stage(folder, MeshOptions(poisson_depth=8, texture_px=0)))
    mesh, _ = read_glb(folder / "model.glb")
    truth = load_truth(folder)
    size = float(np.linalg.norm(np.ptp(truth.seen_points, axis=0)))
    return surface_accuracy(mesh, IDENTITY, truth, thresholds=(0.01 * size,), samples=30_000).scores[0]


def test_filling_makes_the_mesh_more_complete_and_no_less_accurate(painted):
    _, plain, filled, _ = painted
    before, after = scores(plain), scores(filled)
    assert after.recall > before.recall + 0.02
    assert after.precision > before.precision - 0.005


def test_the_numbers_are_those_of_the_maps(painted):
    filmed, plain, filled, told = painted
    before, after = (read_depth_maps(folder, filmed.model) for folder in (plain, filled))
    known, new = (np.mean([np.mean(one.certain().depth > 0) for one in maps]) for maps in (before, after))
    assert told.coverage == pytest.approx(new)
    assert told.estimated >= new - known > 0.02
    assert (told.model, told.aligned) == ("model.onnx", 8)
    assert not (filled / "estimates").exists()


def nan_model(folder):
    return str(weighted_colors(folder / "model.onnx", offset=np.nan))


def missing_model(folder):
    return str(folder / "none.onnx")


@pytest.mark.parametrize(("make", "why"), [(nan_model, "not finite"), (missing_model, "There is no depth")])
def test_a_model_that_cannot_fill_is_told_and_changes_nothing(painted, tmp_path, make, why):
    filmed, plain, _, _ = painted
    folder = shutil.copytree(plain, tmp_path / "copy")
    options = DepthOptions(max_side_px=SIDE, fill_holes=True, model=make(tmp_path))
    told = fill_holes(stage(folder, options), filmed.model, DepthReport(maps=8, coverage=0.5))
    assert told.estimated == 0
    assert why in told.not_filled
    for path in plain.rglob("*.bin"):
        assert (folder / path.relative_to(plain)).read_bytes() == path.read_bytes()


def test_the_program_fills_when_asked(tmp_path):
    folder = tmp_path / "input"
    filmed = filmed_input(folder, "tabletop", 4, 160)
    write_json(
        tmp_path / "options.json",
        DepthOptions(max_side_px=160, fill_holes=True, model=knowing(folder, filmed)),
    )
    argv = [str(folder), str(tmp_path / "output"), "--options", str(tmp_path / "options.json")]
    assert program_main(DepthOptions, {"patchmatch": patchmatch_depth}, argv) == 0
    told = json.loads((tmp_path / "output" / "result.json").read_text())
    maps = read_depth_maps(tmp_path / "output", filmed.model)
    assert told["coverage"] == pytest.approx(np.mean([np.mean(one.certain().depth > 0) for one in maps]))
    assert told["estimated"] > 0
    progress = (tmp_path / "output" / "progress.jsonl").read_text().splitlines()
    fractions = [json.loads(line)["fraction"] for line in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
