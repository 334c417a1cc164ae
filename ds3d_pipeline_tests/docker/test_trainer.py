"""The trainer's image on a real engine: built, warm, and as good as the program run here."""

import json
import os
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from ds3d_pipeline.formats.colmap import write_reconstruction
from ds3d_pipeline.programs.contract import program_main
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.stage import cpu
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.model import true_depths, true_model
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions
from ds3d_pipeline_tests.docker.engine import build_image, run, why_no_engine

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(why_no_engine() is not None, reason=f"no container here: {why_no_engine()}"),
    pytest.mark.timeout(1800),
]
OPTIONS = SplatOptions(iterations=150, max_seconds=1e6, max_gaussians=600, sh_degree=0)
USER = os.getuid() or 12345
"""Never root, whoever runs the test."""
CACHE = "/var/cache/ds3d"


@pytest.fixture(scope="module")
def image() -> str:
    return build_image("ds3d-trainer:cpu", "docker/trainer/Dockerfile", "--target", "cpu")


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    """A COLMAP folder with the true cameras and points of a small synthetic capture."""
    folder = tmp_path_factory.mktemp("scene")
    camera = CameraOptions(size_wh=(160, 120), focal_px=140.0, noise_sigma=1.0)
    truth = make_capture(folder, SyntheticOptions(frames=9, path=PathOptions(arc_deg=35.0), camera=camera))
    write_reconstruction(folder / "sparse", true_model(truth, true_depths(truth), points=400))
    write_json(folder / "options.json", OPTIONS)
    folder.chmod(0o755)
    return folder


@contextmanager
def trained(image: str, scene: Path, output: Path):
    """The name of a container that has trained into `output` as `USER`, without a network."""
    name = f"ds3d-test-{uuid.uuid4().hex[:8]}"
    output.mkdir()
    os.chown(output, USER, -1)
    words = ["docker", "run", "--name", name, "--network", "none", "--user", str(USER)]
    words += ["-v", f"{scene}:/in:ro", "-v", f"{output}:/out", image]
    program = ["python", "-m", "ds3d_pipeline.splats", "/in", "/out"]
    try:
        run(*words, *program, "--backend", "cpu", "--options", "/in/options.json")
        yield name
    finally:
        run("docker", "rm", "-f", name)


def told(output: Path) -> dict:
    return json.loads((output / "result.json").read_text())


def test_it_trains_as_well_as_the_program_run_here(image, scene, tmp_path):
    words = [str(scene), str(tmp_path / "here"), "--options", str(scene / "options.json")]
    assert program_main(SplatOptions, {"cpu": cpu}, words) == 0
    with trained(image, scene, tmp_path / "there"):
        here, there = told(tmp_path / "here"), told(tmp_path / "there")
    assert there["heldout"]["images"] == here["heldout"]["images"]
    assert there["heldout"]["psnr_db"] == pytest.approx(here["heldout"]["psnr_db"], abs=0.2)
    assert there["heldout"]["psnr_db"] > there["initial_heldout"]["psnr_db"]


def test_files_belong_to_the_caller_and_no_kernel_is_compiled(image, scene, tmp_path):
    with trained(image, scene, tmp_path / "out") as name:
        changed = run("docker", "diff", name)
    assert CACHE not in changed
    files = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert {"splat.ply", "splat.ply.gz", "splat.spz", "splat.glb", "result.json"} <= set(files)
    assert {path.stat().st_uid for path in files.values()} == {USER}


def kernels(image: str) -> str:
    return run(
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        image,
        "find",
        CACHE,
        "-name",
        "*.nbc",
        "-printf",
        "%P %T@\n",
    )


def test_new_code_in_an_image_that_is_there_compiles_only_what_changed(image):
    again = build_image(
        "ds3d-trainer:test-wrapper",
        "docker/trainer/wrapper-only.Dockerfile",
        *("--build-arg", f"IMAGE={image}"),
    )
    try:
        assert sorted(kernels(again).splitlines()) == sorted(kernels(image).splitlines())
    finally:
        run("docker", "rmi", again)
