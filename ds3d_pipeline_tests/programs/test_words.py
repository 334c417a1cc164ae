"""Numbers as words."""

import pytest

from ds3d_pipeline.programs.words import clipped, duration, listing, plural, size
from ds3d_pipeline.report.numbers import Scale


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (3400, "3.4 kB"),
        (123_456_789, "123 MB"),
        (5e9, "5.0 GB"),
        (5e12, "5000 GB"),
    ],
)
def test_size(bytes_, words):
    assert size(bytes_) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (41.6, "42 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_listing_and_plural():
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing(list("abcdefg")) == "a, b, c, d and 3 more"
    assert plural(1, "photo") == "1 photo"
    assert plural(1234, "photo") == "1,234 photos"
    assert clipped("x" * 900, 10) == "x" * 9 + "…"


def test_scales_go_up_or_down():
    up, down = Scale(good=25, fair=20), Scale(good=1.0, fair=1.5)
    assert [up.grade(value) for value in (26, 25, 22, 10)] == ["good", "good", "fair", "poor"]
    assert [down.grade(value) for value in (0.5, 1.2, 3.0)] == ["good", "fair", "poor"]
