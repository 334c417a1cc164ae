"""The training curve."""

import re

import numpy as np

from ds3d_pipeline.report.curve import SIZE_WH, draw_curve
from ds3d_pipeline.splats.report import CurvePoint


def look(seconds, psnr_db=None):
    return CurvePoint(done=0.5, seconds=seconds, iteration=1, gaussians=9, psnr_db=psnr_db)


def test_the_curve_rises_where_the_score_does_and_its_ticks_are_round():
    looks = [look(10.0 * i, v) for i, v in enumerate((15.0, 20.0, 19.0, 24.0))]
    curve = draw_curve([*looks, look(50.0)])
    line = np.array([[float(n) for n in pair.split()] for pair in re.findall(r"[\d.]+ [\d.]+", curve.line)])
    assert (np.sign(np.diff(line[:, 1])) == [-1, 1, -1]).all()
    assert (np.diff(line[:, 0]) > 0).all()
    assert ((line > 0) & (line < SIZE_WH)).all()
    twenty = next(tick for tick in curve.rows if tick.label == "20 dB")
    assert abs(twenty.at - line[1, 1]) < 0.1
    assert "30 s" in {tick.label for tick in curve.columns}


def test_one_look_is_no_curve():
    assert draw_curve([]) is None
    assert draw_curve([look(1.0, 20.0), look(2.0)]) is None


def test_a_flat_curve_is_drawn():
    assert draw_curve([look(s, 20.0) for s in (1.0, 2.0)]).line.startswith("M")
