"""The splat rung of the trainer's image: that of docker/trainer, or what DS3D_TRAINER_IMAGE names."""

import os
import shutil
import subprocess
from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.defs.assets import configured
from ds3d_pipeline.defs.config import StageConfig
from ds3d_pipeline.defs.io_manager import BundleIOManager
from ds3d_pipeline.defs.materialize import materialize, stage_asset
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.formats.colmap import write_reconstruction
from ds3d_pipeline.storage.bundles import StageReport, fetch
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.model import true_depths, true_model
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions
from ds3d_pipeline_tests.engines import containers_of

CAPTURE = "test-00000000"
ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "trainer" / "Dockerfile"
SMALL = {"train": True, "iterations": 80, "max_seconds": 1e6, "max_gaussians": 600, "sh_degree": 0}


@pytest.fixture(scope="module")
def trainer_image(engine) -> str:
    if named := os.environ.get("DS3D_TRAINER_IMAGE"):
        return named
    if not DOCKERFILE.exists() or not shutil.which("docker"):
        pytest.skip("there is no docker/trainer/Dockerfile, or no docker to build it")
    command = ["docker", "build", "-t", "ds3d-trainer:cpu", "--target", "cpu", "-f", DOCKERFILE, ROOT]
    has_buildkit = subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode == 0
    env = os.environ | ({} if has_buildkit else {"DOCKER_BUILDKIT": "0"})
    built = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    return "ds3d-trainer:cpu"


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    """The true cameras and points of a small synthetic capture, with its photos."""
    folder = tmp_path_factory.mktemp("scene")
    camera = CameraOptions(size_wh=(160, 120), focal_px=140.0, noise_sigma=1.0)
    truth = make_capture(folder, SyntheticOptions(frames=9, path=PathOptions(arc_deg=35.0), camera=camera))
    source = folder / "source"
    shutil.copytree(truth.input, source / "images")
    write_reconstruction(source / "sparse", true_model(truth, true_depths(truth), points=400))
    return source


def train(home, scene: Path, prefer: str) -> StageReport:
    """By the asset as it is, this rung first."""
    files = {path.relative_to(scene).as_posix(): path for path in scene.rglob("*") if path.is_file()}

    @stage_asset("splat")
    @configured("splat")
    def splat(
        context: dg.AssetExecutionContext, config: StageConfig, mode: ModeResource
    ) -> dg.MaterializeResult:
        return materialize(context, "splat", config, mode, {}, files)

    resources = {"mode": ModeResource(name="fastest"), "io_manager": BundleIOManager()}
    job = dg.Definitions(
        assets=[splat], jobs=[dg.define_asset_job("train", selection=[splat])], resources=resources
    ).resolve_job_def("train")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [CAPTURE])
        run_config = {"ops": {"splat": {"config": {"prefer": prefer, **SMALL}}}}
        assert job.execute_in_process(instance=instance, partition_key=CAPTURE, run_config=run_config).success
    return fetch(UPath(home.storage) / "splat" / CAPTURE, home.root / "cache").report


def test_it_trains_as_well_as_the_program_run_here(tmp_path, monkeypatch, engine, trainer_image, scene):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DS3D_TRAINER_IMAGE", trainer_image)
    home = prepare_home()
    here, there = train(home, scene, "cpu"), train(home, scene, "cpu-container")
    for report, rung in ((here, "cpu"), (there, "cpu-container")):
        tried = [(a.backend, a.outcome) for a in report.attempts if a.outcome != "skipped"]
        assert tried == [(rung, "ok")]
    scores = [report.result["heldout"]["psnr_db"] for report in (here, there)]
    assert scores[1] == pytest.approx(scores[0], abs=0.2)
    assert scores[1] > there.result["initial_heldout"]["psnr_db"]
    assert there.peak_memory_mb > 50
    assert containers_of(engine, home.root) == []
