"""The COLMAP rung on a real engine, with the image of docker/colmap or what DS3D_COLMAP_IMAGE names."""

import os
from pathlib import Path

import cv2
import dagster as dg
import docker.errors
import numpy as np
import pytest
from upath import UPath

from ds3d_pipeline.defs.assets import configured
from ds3d_pipeline.defs.config import StageConfig
from ds3d_pipeline.defs.io_manager import BundleIOManager
from ds3d_pipeline.defs.materialize import materialize, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.geometry.alignment import align_sim3
from ds3d_pipeline.stages.table import find_rung
from ds3d_pipeline.storage.bundles import Bundle, fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.engines import containers_of
from ds3d_pipeline_tests.poses.colmap.test_pycolmap_stage import blank, stage_photos
from ds3d_pipeline_tests.stages.cards import change_card

CAPTURE = "test-00000000"
DOCKERFILE = Path(__file__).parents[2] / "docker" / "colmap"


@pytest.fixture(scope="session")
def colmap_image(engine) -> str:
    named = os.environ.get("DS3D_COLMAP_IMAGE")
    if named:
        return named
    try:
        engine.images.build(path=str(DOCKERFILE), tag="ds3d-colmap", rm=True)
    except docker.errors.DockerException as error:
        pytest.skip(f"docker/colmap cannot be built: {error}")
    return "ds3d-colmap"


@pytest.fixture
def own_home(tmp_path, monkeypatch, colmap_image):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DS3D_COLMAP_IMAGE", colmap_image)
    return prepare_home()


def place(home, keyframes: Path, **config) -> Bundle:
    """The poses of staged keyframes, by the asset as it is, the container first."""
    files = {path.relative_to(keyframes).as_posix(): path for path in keyframes.rglob("*") if path.is_file()}

    @stage_asset("poses")
    @configured("poses")
    def poses(
        context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource
    ) -> dg.MaterializeResult:
        return materialize(context, "poses", config, mode, {}, files)

    resources = {"mode": ModeResource(name="fastest"), "io_manager": BundleIOManager()}
    job = dg.Definitions(
        assets=[poses], jobs=[dg.define_asset_job("place", selection=[poses])], resources=resources
    ).resolve_job_def("place")
    wanted = {"prefer": "colmap-container", **config}
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        run_config = {"ops": {"poses": {"config": wanted}}}
        assert job.execute_in_process(instance=instance, partition_key=CAPTURE, run_config=run_config).success
    return fetch(UPath(home.storage) / "poses" / CAPTURE, home.root / "cache")


def test_fountain_is_registered_within_millimetres(own_home, engine, shared_data, tmp_path):
    fountain = shared_data / "fountain-P11"
    photos = [(path.name, cv2.imread(str(path))) for path in sorted((fountain / "images").iterdir())]
    small = [(name, cv2.resize(p, (1024, 683), interpolation=cv2.INTER_AREA)) for name, p in photos]
    stage_photos(tmp_path / "keyframes", small, source_size_wh=(3072, 2048))
    bundle = place(own_home, tmp_path / "keyframes", max_features=2048)
    report = bundle.report
    assert [(a.backend, a.outcome) for a in report.attempts] == [("colmap-container", "ok")]
    assert report.result["registered"] == 11
    assert report.result["colmap"].startswith("COLMAP")
    cameras = sorted((fountain / "gt_dense_cameras").glob("*.camera"))
    truth = np.array([[float(x) for x in path.read_text().splitlines()[7].split()] for path in cameras])
    centres = np.stack([v.centre_in_world for v in read_reconstruction(bundle.folder / "sparse").views])
    errors_m = np.linalg.norm(align_sim3(centres, truth).apply(centres) - truth, axis=1)
    assert errors_m.max() < 0.008
    assert {path.stat().st_uid for path in own_home.root.rglob("*")} == {os.getuid()}
    assert not (bundle.folder / "scratch").exists()
    assert containers_of(engine, own_home.root) == []


def test_what_colmap_cannot_place_becomes_our_diagnosis(own_home, engine, tmp_path, monkeypatch):
    rungs = tuple(find_rung("poses", name) for name in ("colmap-container", "single"))
    change_card(monkeypatch, "poses", rungs=rungs)
    stage_photos(tmp_path / "keyframes", blank(None))
    report = place(own_home, tmp_path / "keyframes").report
    first = report.attempts[0]
    assert (first.backend, first.outcome) == ("colmap-container", "failed")
    assert "None of the 4 photos could be aligned" in first.reason
    assert "too little texture" in first.reason
    assert report.backend == "single"
    assert containers_of(engine, own_home.root) == []
