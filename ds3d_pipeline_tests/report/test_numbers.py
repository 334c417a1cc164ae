"""What the tiles of the page claim."""

import pytest

from ds3d_pipeline.report.numbers import list_numbers
from ds3d_pipeline_tests.report.metrics import make_metrics


@pytest.mark.parametrize(
    ("depth", "value", "grade", "rest"),
    [
        ({"coverage": 0.65}, "65%", "good", ""),
        (
            {"coverage": 0.65, "estimated": 0.125, "model": "a.onnx"},
            "52%",
            "fair",
            "Another 12.5% are estimated by a learned model.",
        ),
        (
            {"coverage": 0.9, "estimated": 0.9},
            "0%",
            "poor",
            "Another 90.0% are interpolated between sparse points.",
        ),
        ({"coverage": 0.65, "estimated": 0.0, "not_filled": "There is no model."}, "65%", "good", ""),
    ],
)
def test_what_was_not_measured_is_not_counted_as_measured(depth, value, grade, rest):
    (tile,) = list_numbers(make_metrics(depth=depth))
    assert (tile.value, tile.grade) == (value, grade)
    assert tile.meaning.endswith(rest)
    assert ("Another" in tile.meaning) == bool(rest)


def test_a_flat_card_is_not_praised():
    poses = {"registered": 1, "total": 1, "mean_reprojection_error_px": None, "points": 0}
    (aligned,) = list_numbers(make_metrics(poses=poses, depth={"coverage": 1.0, "flat": True}))
    assert (aligned.value, aligned.grade) == ("1 of 1", "")
