"""The estimate against peaks that were measured, and what happens where it is too much."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution import memory
from ds3d_pipeline.execution.memory import available_mb, fit_memory, needed_mb, read_load
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.programs.rungs import Load
from ds3d_pipeline.scene import Capture, PointCloud, SourceFile
from ds3d_pipeline.stages import stage as cards
from ds3d_pipeline.stages.modes import MODES

SMALL = Load(images=8, size_wh=(320, 240))
DEMO = Load(images=32, size_wh=(640, 480))
FOUNTAIN = Load(images=11, size_wh=(1600, 1067))
FOUNTAIN_LARGE = dataclasses.replace(FOUNTAIN, size_wh=(2398, 1598))
FOX = Load(images=49, size_wh=(900, 1600))

MEASURED = [
    ("keyframes", "local", "fastest", Load(images=8, size_wh=(320, 240)), 90),
    ("keyframes", "local", "balanced", Load(images=11, size_wh=(3072, 2048)), 291),
    ("keyframes", "local", "fastest", Load(images=11, size_wh=(2832, 2128)), 248),
    ("keyframes", "local", "balanced", Load(images=1, size_wh=(1080, 1920), is_video=True), 473),
    ("poses", "pycolmap", "fastest", dataclasses.replace(FOUNTAIN, size_wh=(1024, 683)), 626),
    ("poses", "pycolmap", "balanced", FOUNTAIN, 751),
    ("poses", "pycolmap", "balanced", FOX, 720),
    ("poses", "pycolmap", "balanced", DEMO, 652),
    ("poses", "pycolmap", "quality", FOUNTAIN_LARGE, 1464),
    ("poses", "opencv", "fastest", DEMO, 523),
    ("poses", "opencv", "balanced", FOUNTAIN, 752),
    ("poses", "opencv", "balanced", FOX, 824),
    ("poses", "opencv", "quality", FOUNTAIN_LARGE, 1436),
    ("depth_maps", "patchmatch", "fastest", SMALL, 319),
    ("depth_maps", "patchmatch", "fastest", FOUNTAIN, 401),
    ("depth_maps", "patchmatch", "balanced", FOUNTAIN, 573),
    ("depth_maps", "patchmatch", "balanced", FOX, 559),
    ("depth_maps", "patchmatch", "quality", FOUNTAIN_LARGE, 1173),
    ("mesh", "relief", "fastest", DEMO, 286),
    ("mesh", "relief", "quality", FOUNTAIN_LARGE, 392),
    ("mesh", "poisson", "fastest", Load(points=122_676), 419),
    ("mesh", "poisson", "fastest", Load(points=1_271_448), 708),
    ("mesh", "poisson", "balanced", Load(points=853_044), 1197),
    ("mesh", "poisson", "balanced", Load(points=1_868_622), 1324),
    ("mesh", "poisson", "quality", Load(points=1_954_971), 2436),
    ("splat", "cpu", "balanced", FOUNTAIN, 481),
    ("splat", "cpu", "balanced", DEMO, 467),
]
"""Stage, backend, mode, what it worked on and its peak in MB, on two cores."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(cards, "allowed_cpus", lambda: 2)


@pytest.mark.parametrize(("stage", "backend", "mode", "load", "peak_mb"), MEASURED)
def test_the_estimate_covers_what_was_measured_and_is_no_wild_guess(stage, backend, mode, load, peak_mb):
    estimate = needed_mb(stage, backend, load, MODES[mode].options(stage))
    assert 0.98 * peak_mb <= estimate <= 2.5 * peak_mb


def test_what_fits_is_left_alone():
    options = MODES["balanced"].depth_maps
    fit = fit_memory("depth_maps", "patchmatch", FOX, options, 8000)
    assert (fit.options, fit.note) == (options, "")


def test_what_does_not_fit_is_made_smaller_and_told_with_numbers():
    load = Load(images=200, size_wh=(2400, 1800))
    options = MODES["quality"].depth_maps
    fit = fit_memory("depth_maps", "patchmatch", load, options, 4000)
    assert 256 <= fit.options.max_side_px < options.max_side_px
    assert needed_mb("depth_maps", "patchmatch", load, fit.options) <= 4000
    assert dataclasses.replace(fit.options, max_side_px=options.max_side_px) == options
    assert "Not enough memory for Depth maps: about 13.1 GB needed, 4.0 GB free" in fit.note
    assert f"max_side_px is {fit.options.max_side_px} instead of 1280" in fit.note


def test_it_is_made_no_smaller_than_it_takes():
    load, options = Load(points=1_000_000), MODES["quality"].mesh
    fit = fit_memory("mesh", "poisson", load, options, 2500)
    larger = dataclasses.replace(options, texture_px=int(fit.options.texture_px / memory.STEP) + 1)
    assert needed_mb("mesh", "poisson", load, larger) > 2500


def test_what_cannot_be_made_small_enough_is_refused_with_numbers():
    with pytest.raises(
        StageError, match=r"Not enough memory for Camera positions: about .* GB needed, 0.2 GB free"
    ):
        fit_memory("poses", "pycolmap", FOX, MODES["balanced"].poses, 200)


def test_a_stage_without_a_knob_is_refused():
    huge = Load(images=3, size_wh=(40_000, 30_000))
    with pytest.raises(StageError, match="Not enough memory for Keyframes"):
        fit_memory("keyframes", "local", huge, MODES["balanced"].keyframes, 8000)


def test_a_program_that_was_never_measured_is_not_judged():
    fit = fit_memory("depth_maps", "monocular", FOX, MODES["balanced"].depth_maps, 1)
    assert (fit.needed_mb, fit.note) == (None, "")


def test_the_limit_can_be_told(monkeypatch):
    monkeypatch.setenv("DS3D_MEMORY_MB", "1234")
    assert available_mb() == 1234
    monkeypatch.delenv("DS3D_MEMORY_MB")
    assert 0 < available_mb() < 1e8


def test_the_load_is_read_from_headers(tmp_path):
    (tmp_path / "images").mkdir()
    for number, size in enumerate([(40, 30), (60, 20), (30, 50)]):
        Image.new("RGB", size).save(tmp_path / "images" / f"{number}.jpg")
    zeros = np.zeros((7, 3), np.float32)
    cloud = PointCloud(points_in_world=zeros, normals=zeros, colors=zeros.astype(np.uint8))
    write_pointcloud(tmp_path / "pointcloud.ply", cloud)
    assert read_load(tmp_path) == Load(images=3, size_wh=(30, 50), points=7)


def test_the_load_of_a_capture_is_its_largest_source_as_it_is_read(tmp_path):
    huge = SourceFile(name="a.jpg", file="a.jpg", sha256="0", size_wh=(16_320, 12_240), bytes=1)
    write_json(tmp_path / "capture.json", Capture(kind="photos", sources=(huge,), sha256="0"))
    assert read_load(tmp_path) == Load(images=1, size_wh=(8160, 6120))
    sources = tuple(
        SourceFile(name=f"{side}.jpg", file=f"{side}.jpg", sha256="0", size_wh=(side, 10), bytes=1)
        for side in (20, 40, 30)
    )
    write_json(tmp_path / "capture.json", Capture(kind="photos", sources=sources, sha256="0"))
    assert read_load(tmp_path) == Load(images=3, size_wh=(40, 10))
    assert read_load(tmp_path / "nothing") == Load()
