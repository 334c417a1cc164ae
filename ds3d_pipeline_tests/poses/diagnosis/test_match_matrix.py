"""The picture of which frames matched which."""

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.poses.diagnosis.evidence import Evidence, FrameEvidence, ModelEvidence, PairEvidence
from ds3d_pipeline.poses.diagnosis.match_matrix import match_counts, write_match_matrix

BLUE, RED, GREY = (8, 76, 150), (212, 68, 52), (150, 160, 172)


def evidence_of(count, pairs, registered):
    frames = tuple(
        FrameEvidence(image=f"{n}.jpg", name=f"{n}.jpg", features=900, sharpness=0.2, contrast=None)
        for n in range(count)
    )
    found = tuple(
        PairEvidence(first=a, second=b, matches=2 * inliers, inliers=inliers) for a, b, inliers in pairs
    )
    images = frozenset(f"{n}.jpg" for n in registered)
    model = ModelEvidence(images=images, points_per_frame=100.0, triangulation_angle_deg=9.0)
    return Evidence(frames=frames, pairs=found, model=model if registered else None)


def has_color(pixels, color) -> bool:
    return bool((np.abs(pixels.astype(int) - color).max(axis=-1) <= 12).any())


def test_counts_are_symmetric():
    counts = match_counts(evidence_of(3, [(0, 1, 50), (1, 2, 7)], {0, 1, 2}))
    assert np.array_equal(counts, counts.T)
    assert counts[2, 1] == 7
    assert counts[0, 2] == 0


@pytest.mark.parametrize("count", [2, 11, 90, 400])
def test_the_picture_is_small_and_shows_matches_and_lost_frames(tmp_path, count):
    pairs = [(n, n + 1, 40 + n) for n in range(count - 1)]
    write_match_matrix(tmp_path / "matches.jpg", evidence_of(count, pairs, set(range(1, count))))
    assert (tmp_path / "matches.jpg").stat().st_size <= 36_000
    with Image.open(tmp_path / "matches.jpg") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert max(pixels.shape) < 600
    assert all(has_color(pixels, color) for color in (BLUE, RED, GREY))


def test_nothing_matched_is_a_picture_too(tmp_path):
    write_match_matrix(tmp_path / "matches.jpg", evidence_of(4, [], set()))
    with Image.open(tmp_path / "matches.jpg") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert has_color(pixels, RED)
    assert not has_color(pixels, BLUE)
