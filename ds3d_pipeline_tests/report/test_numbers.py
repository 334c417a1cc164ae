"""What the tiles of the page claim."""

import pytest

from ds3d_pipeline.report.numbers import list_numbers
from ds3d_pipeline_tests.report.metrics import make_metrics


@pytest.mark.parametrize(
    ("depth", "value", "grade", "rest"),
    [
        ({"coverage": 0.65}, "65%", "good", ""),
        (
            {"coverage": 0.65, "estimated": 0.125},
            "52%",
            "fair",
            "Another 12.5% are a learned model's estimate.",
        ),
        ({"coverage": 0.65, "estimated": 0.0, "not_filled": "There is no model."}, "65%", "good", ""),
    ],
)
def test_what_a_model_filled_in_is_told_apart_from_what_was_seen(depth, value, grade, rest):
    (tile,) = list_numbers(make_metrics(depth=depth))
    assert (tile.value, tile.grade) == (value, grade)
    assert tile.meaning.endswith(rest)
    assert ("estimate" in tile.meaning) == bool(rest)
