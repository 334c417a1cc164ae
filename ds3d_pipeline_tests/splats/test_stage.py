"""The whole program on a small COLMAP folder, with each backend."""

import gzip
import json
import subprocess
import sys
import time

import cv2
import gsply
import numpy as np
import pycolmap
import pytest

from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import PointCloud
from ds3d_pipeline.splats.kernels import reference
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, SH, rows_from_gaussians
from ds3d_pipeline.splats.light import SH_C0
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.report import SplatReport
from ds3d_pipeline.splats.stage import cpu, light
from ds3d_pipeline.splats.training.photos import as_float
from ds3d_pipeline.splats.training.scores import photo_camera, psnr_db, score
from ds3d_pipeline_tests.splats.scenes import random_rows
from ds3d_pipeline_tests.splats.spz import read_spz
from ds3d_pipeline_tests.splats.training.test_trainer import SIZE_WH, K, orbit

BACKENDS = {"light": light, "cpu": cpu}


def truth_rows():
    rows = random_rows(150, 0, 0, spread=0.8)
    rows[:, LOG_SCALE:LOGIT] = np.random.default_rng(1).normal(-1.9, 0.3, (150, 3))
    rows[:, SH:] = np.random.default_rng(2).uniform(-1.5, 1.5, (150, 3))
    return rows


def write_model(folder, photos) -> None:
    model = pycolmap.Reconstruction()
    focal = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    width, height = SIZE_WH
    camera = pycolmap.Camera(camera_id=1, model="PINHOLE", width=width, height=height, params=focal)
    model.add_camera_with_trivial_rig(camera)
    for number, photo in enumerate(photos, start=1):
        image = pycolmap.Image(name=photo.name, camera_id=1, image_id=number)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(photo.cam_from_world[:3]))
    (folder / "sparse").mkdir(exist_ok=True)
    model.write(folder / "sparse")


@pytest.fixture(scope="module")
def photos():
    return orbit(12, truth_rows())


@pytest.fixture
def capture(tmp_path, photos):
    """Twelve photos of a known splat, their cameras, and its means as dense points without normals."""
    folder = tmp_path / "input"
    (folder / "images").mkdir(parents=True)
    write_model(folder, photos)
    for photo in photos:
        cv2.imwrite(str(folder / "images" / photo.name), cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2BGR))
    rows = truth_rows()
    colors = np.clip((0.5 + SH_C0 * rows[:, SH : SH + 3]) * 255, 0, 255).astype(np.uint8)
    means = rows[:, :3].copy()
    cloud = PointCloud(points_in_world=means, normals=np.zeros_like(means), colors=colors)
    write_pointcloud(folder / "pointcloud.ply", cloud)
    return folder


def run(folder, output, backend, **options) -> int:
    settings = SplatOptions(**{"iterations": 300, "max_seconds": 1e6, "max_gaussians": 300, **options})
    file = output.with_suffix(".json")
    write_json(file, settings)
    return program_main(
        SplatOptions, BACKENDS, [str(folder), str(output), "--backend", backend, "--options", str(file)]
    )


def test_light_makes_one_gaussian_per_dense_point(capture, tmp_path):
    assert run(capture, tmp_path / "out", "light") == 0
    splat = read_splat_ply(tmp_path / "out" / "splat.ply")
    result = read_json(tmp_path / "out" / "result.json", SplatReport)
    assert result == SplatReport(gaussians=150, iterations=0, initialised_from="dense")
    assert len(splat.means) == 150
    packed = gzip.decompress((tmp_path / "out" / "splat.ply.gz").read_bytes())
    assert packed == (tmp_path / "out" / "splat.ply").read_bytes()


@pytest.mark.slow
def test_cpu_reports_the_score_that_its_ply_has(capture, tmp_path, photos):
    assert run(capture, tmp_path / "out", "cpu", sh_degree=1) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    rows = rows_from_gaussians(read_splat_ply(tmp_path / "out" / "splat.ply"), 1)
    heldout = [photo for photo in photos if photo.name in result["heldout"]["images"]]
    again = score(rows, heldout, 1)
    assert len(heldout) == 1
    assert again.psnr_db == pytest.approx(result["heldout"]["psnr_db"], abs=0.01)
    assert again.ssim == pytest.approx(result["heldout"]["ssim"], abs=1e-3)
    assert result["heldout"]["psnr_db"] > result["initial_heldout"]["psnr_db"] + 3
    assert result["gaussians"] == len(rows)
    assert len(list((tmp_path / "out" / "heldout").glob("*.jpg"))) == 1
    steps = [json.loads(line) for line in (tmp_path / "out" / "progress.jsonl").read_text().splitlines()]
    assert any("psnr" in step for step in steps)


def drawn_by_formula(ply, photo) -> np.ndarray:
    """A photo's view of a PLY: read by gsply, drawn by the plain formulas of 3DGS in float64."""
    data = gsply.plyread(ply)
    count = len(data.means)
    rest = np.asarray(data.shN).reshape(count, -1, 3)
    coeffs = np.concatenate([np.asarray(data.sh0)[:, None], rest], axis=1).reshape(count, -1)
    parts = (data.means, data.quats, data.scales, np.asarray(data.opacities)[:, None], coeffs)
    image, _ = reference.render(np.concatenate(parts, axis=1), photo_camera(photo))
    return np.clip(image, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("mip_filter", [False, True])
def test_an_independent_renderer_of_the_ply_finds_the_score_told(capture, tmp_path, photos, mip_filter):
    assert run(capture, tmp_path / "out", "cpu", sh_degree=2, mip_filter=mip_filter) == 0
    told = json.loads((tmp_path / "out" / "result.json").read_text())["heldout"]
    heldout = [photo for photo in photos if photo.name in told["images"]]
    images = [drawn_by_formula(tmp_path / "out" / "splat.ply", photo) for photo in heldout]
    found = [psnr_db(image, as_float(photo.pixels)) for image, photo in zip(images, heldout, strict=True)]
    assert np.mean(found) == pytest.approx(told["psnr_db"], abs=0.05)


def test_every_format_holds_the_same_splat(capture, tmp_path):
    assert run(capture, tmp_path / "out", "cpu", iterations=30) == 0
    plain = read_splat_ply(tmp_path / "out" / "splat.ply")
    packed = read_spz(tmp_path / "out" / "splat.spz")
    np.testing.assert_allclose(packed.means, plain.means, atol=2e-3)
    assert (tmp_path / "out" / "splat.glb").stat().st_size > plain.means.nbytes
    assert not list((tmp_path / "out").glob("*.part"))
    assert list((tmp_path / "out" / "previews").glob("*.jpg"))


@pytest.mark.slow
def test_held_out_photos_may_join_after_scoring(capture, tmp_path, photos):
    assert run(capture, tmp_path / "out", "cpu", join_heldout=True) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["final_tuning"]["photos"] == 12
    assert 0 < result["final_tuning"]["iterations"] <= 30
    rows = rows_from_gaussians(read_splat_ply(tmp_path / "out" / "splat.ply"), 2)
    heldout = [photo for photo in photos if photo.name in result["heldout"]["images"]]
    assert score(rows, heldout, 2).psnr_db > result["heldout"]["psnr_db"]


@pytest.mark.slow
def test_masked_places_change_nothing(capture, tmp_path, photos):
    (capture / "masks").mkdir()
    for photo in photos:
        mask = np.full((SIZE_WH[1], SIZE_WH[0]), 255, np.uint8)
        mask[10:20, 30:50] = 0
        cv2.imwrite(str(capture / "masks" / f"{photo.name}.png"), mask)
    assert run(capture, tmp_path / "clean", "cpu", iterations=40) == 0
    for photo in photos:
        spoilt = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2BGR)
        spoilt[10:20, 30:50] = (0, 255, 0)
        cv2.imwrite(str(capture / "images" / photo.name), spoilt)
    assert run(capture, tmp_path / "spoilt", "cpu", iterations=40) == 0
    clean, spoilt = (
        json.loads((tmp_path / name / "result.json").read_text())["heldout"] for name in ("clean", "spoilt")
    )
    assert spoilt["psnr_db"] == pytest.approx(clean["psnr_db"], abs=0.05)


def test_a_mask_of_another_size_is_refused(capture, tmp_path, photos):
    (capture / "masks").mkdir()
    cv2.imwrite(str(capture / "masks" / f"{photos[2].name}.png"), np.zeros((5, 5), np.uint8))
    assert run(capture, tmp_path / "out", "cpu") == STAGE_ERROR_EXIT
    assert "5x5" in json.loads((tmp_path / "out" / "error.json").read_text())["cause"]


@pytest.mark.slow
def test_a_cancelled_run_leaves_no_splat_and_the_next_goes_on(capture, tmp_path):
    options, output = tmp_path / "options.json", tmp_path / "out"
    limits = {"iterations": 1200, "max_seconds": 1e6, "max_gaussians": 300}
    write_json(options, SplatOptions(**limits, checkpoint_s=0.05, early_stop=False))

    def start(folder) -> subprocess.Popen[bytes]:
        """As users run it, in a process of its own: what other tests have loaded changes no number."""
        words = [sys.executable, "-m", "ds3d_pipeline.splats", capture, folder, "--options", options]
        return subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL)

    assert start(tmp_path / "whole").wait(200) == 0
    program = start(output)
    deadline = time.monotonic() + 120
    while not (output / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    program.terminate()
    assert program.wait(30) != 0
    assert not list(output.glob("splat.*"))
    assert start(output).wait(200) == 0
    whole, resumed = (json.loads((f / "result.json").read_text()) for f in (tmp_path / "whole", output))
    assert resumed["resumed_at"] > 0
    assert resumed["iterations"] == 1200
    assert resumed["heldout"]["psnr_db"] == pytest.approx(whole["heldout"]["psnr_db"], abs=0.1)
    assert not (output / "checkpoint.npz").exists()


def test_a_missing_photo_is_named(capture, tmp_path, photos):
    (capture / "images" / photos[3].name).unlink()
    assert run(capture, tmp_path / "out", "cpu") == STAGE_ERROR_EXIT
    assert photos[3].name in json.loads((tmp_path / "out" / "error.json").read_text())["cause"]


def test_a_folder_without_points_is_refused(capture, tmp_path):
    (capture / "pointcloud.ply").unlink()
    assert run(capture, tmp_path / "out", "light") == STAGE_ERROR_EXIT
    assert not (tmp_path / "out" / "splat.ply").exists()


def test_two_photos_are_left_to_the_light_splat(capture, tmp_path, photos):
    write_model(capture, photos[:2])
    assert run(capture, tmp_path / "out", "cpu") == STAGE_ERROR_EXIT
    assert "needs 3 aligned photos and has 2" in (tmp_path / "out" / "error.json").read_text()
    assert run(capture, tmp_path / "light", "light") == 0
