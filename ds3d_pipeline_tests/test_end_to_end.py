"""One tiny capture from photos to the report, as a user makes it: the whole graph in a minute."""

import json

import numpy as np
import trimesh
from scipy.spatial import KDTree

from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.geometry.transforms import transform_points
from ds3d_pipeline.metrics.schema import check_metrics
from ds3d_pipeline_tests.captures import run_ds3d

ARTIFACTS = {
    "model.glb",
    "model.splat.ply",
    "model.splat.ply.gz",
    "model.spz",
    "model.splat.glb",
    "pointcloud.ply",
    "sparse/0/cameras.bin",
    "report.html",
    "view.html",
}


def test_a_tiny_capture_from_photos_to_report(tmp_path, small_photos):
    words = ("reconstruct", small_photos, "--mode", "fastest", "--name", "tiny", "--output", tmp_path / "out")
    done = run_ds3d(tmp_path / "home", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads((tmp_path / "out" / "tiny" / "metrics.json").read_text())
    check_metrics(told)
    assert told["status"] == "ok", told["reasons"]
    assert told["poses"]["registered"] == told["poses"]["total"] == 8
    assert told["files"].keys() >= ARTIFACTS
    folder = tmp_path / "out" / "tiny"
    assert all((folder / name).stat().st_size > 0 for name in ARTIFACTS)
    mesh = trimesh.load(folder / "model.glb", force="mesh", process=False)
    vertices = transform_points(told["world_from_gltf"], mesh.vertices)
    points = read_pointcloud(folder / "pointcloud.ply").points_in_world
    for others in (points, read_splat_ply(folder / "model.splat.ply").means):
        distances, _ = KDTree(others).query(vertices)
        assert np.median(distances) < 0.02 * np.ptp(points, axis=0).max()
