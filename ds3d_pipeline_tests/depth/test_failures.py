"""Captures that stereo must refuse with numbers, and that the next rung can still serve."""

import json
import re

import cv2
import numpy as np
import pytest

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stage import interpolate_depth, patchmatch_depth
from ds3d_pipeline.programs.contract import STAGE_ERROR_EXIT, program_main
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline_tests.pointcloud.captures import write_capture

BACKENDS = {"patchmatch": patchmatch_depth, "interpolation": interpolate_depth}


def one_pose(folder):
    write_capture(folder, maps=False, views=1)


def no_overlap(folder):
    """The views share five points, which is too few to trust that they show the same."""
    write_capture(folder, maps=False, points=5)


def nothing_matches(folder):
    """Every photo is noise of its own."""
    write_capture(folder, maps=False)
    for seed, photo in enumerate(sorted((folder / "images").iterdir())):
        noise = np.random.default_rng(seed).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(photo), noise)


CAPTURES = {
    one_pose: r"No two views have enough sparse points in common .1 view.",
    no_overlap: r"No two views have enough sparse points in common .5 views.",
    nothing_matches: r"consistent depth in only \d\.\d% of all pixels",
}


def run(folder, backend):
    output = folder / backend
    code = program_main(DepthOptions, BACKENDS, [str(folder / "input"), str(output), "--backend", backend])
    told = output / ("result.json" if code == 0 else "error.json")
    return code, json.loads(told.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("make", CAPTURES)
def test_stereo_says_why_with_numbers_and_interpolation_goes_on(tmp_path, make):
    (tmp_path / "input").mkdir()
    make(tmp_path / "input")
    code, told = run(tmp_path, "patchmatch")
    assert code == STAGE_ERROR_EXIT
    assert re.search(CAPTURES[make], told["cause"])
    assert told["remedy"]
    assert not (tmp_path / "patchmatch" / "result.json").exists()
    code, told = run(tmp_path, "interpolation")
    assert code == 0
    assert told["coverage"] > 0


def test_interpolation_stands_below_stereo():
    names = list(STAGE_CARDS["depth_maps"].backends)
    assert names.index("patchmatch") < names.index("interpolation")
