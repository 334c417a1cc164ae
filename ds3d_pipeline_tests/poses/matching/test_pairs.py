"""Which images are matched: neighbours in time, in looks and in space, and never all with all of many."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.poses.matching.features import Features
from ds3d_pipeline.poses.matching.pairs import choose_pairs, gps_pairs, sequential_pairs, similar_pairs
from ds3d_pipeline.poses.matching.retrieval import similarities
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.scene import Exif, Keyframe


def keyframes(count, places=None):
    exifs = [Exif(latitude_deg=lat, longitude_deg=lon) for lat, lon in places or [(None, None)] * count]
    return [
        Keyframe(
            image=f"{i:06}.jpg",
            source=f"{i}",
            timestamp_s=None,
            sharpness=1,
            size_wh=(9, 9),
            camera=0,
            exif=e,
        )
        for i, e in enumerate(exifs)
    ]


def features_along(places, seed=0):
    """Images along a line of 40 descriptors a unit, each seeing two units from its place on, with noise."""
    random = np.random.default_rng(seed)
    world = random.integers(0, 140, (int(40 * (max(places) + 2)) + 1, 128))
    found = []
    for place in places:
        seen = world[int(40 * place) : int(40 * (place + 2))]
        noisy = np.clip(seen + random.integers(-6, 7, seen.shape), 0, 255).astype(np.uint8)
        found.append(Features(keypoints=np.zeros((len(noisy), 4), np.float32), descriptors=noisy))
    return found


def test_images_of_the_same_place_look_alike():
    features = features_along([0, 1, 8, 0.5, 20])
    table = similarities(features, seed=0)
    np.testing.assert_allclose(table, table.T, atol=1e-6)
    assert np.argsort(-table[0])[:2].tolist() == [0, 3]
    assert table[0, 4] < 0.5 * table[0, 1]


def test_the_same_seed_finds_the_same_likeness():
    features = features_along([0, 1, 2, 3])
    np.testing.assert_array_equal(similarities(features, seed=3), similarities(features, seed=3))


def test_images_without_features_are_like_none():
    nothing = Features(keypoints=np.zeros((0, 4), np.float32), descriptors=np.zeros((0, 128), np.uint8))
    table = similarities([*features_along([0, 1]), nothing], seed=0)
    assert np.isfinite(table).all()
    assert not table[2].any()
    assert not similarities([nothing, nothing], seed=0).any()


def test_sequence_pairs_each_frame_with_the_following():
    assert sequential_pairs(4, 2) == {(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)}


def test_similar_pairs_keep_apart_from_each_other():
    similarity = np.zeros((9, 9), np.float32)
    similarity[0] = [1, 0.9, 0.8, 0.1, 0.1, 0.7, 0.6, 0.1, 0.5]
    assert similar_pairs(similarity, 2, apart=3) == {(0, 5), (0, 8)}


@pytest.mark.slow
def test_a_video_that_comes_back_is_closed():
    there_and_back = [*np.arange(0, 30, 0.5), *np.arange(29, 0, -0.5)]
    features = features_along(there_and_back)
    frames = keyframes(len(features))
    options = PosesOptions(sequential_overlap=3, similar_frames=2)
    pairs, how = choose_pairs("video", frames, features, options)
    loops = [(a, b) for a, b in pairs if b - a > 3]
    overlaps = [abs(there_and_back[a] - there_and_back[b]) < 2 for a, b in loops]
    assert how == "sequential and similar"
    assert np.mean(overlaps) > 0.5
    closed = {image for (a, b), overlap in zip(loops, overlaps, strict=True) if overlap for image in (a, b)}
    assert len(closed) > 0.8 * len(features)


@pytest.mark.slow
def test_few_photos_are_matched_all_with_all_and_many_with_a_bounded_number():
    options = PosesOptions(exhaustive_up_to=20, similar_photos=4)
    few = features_along(np.arange(20) / 2)
    pairs, how = choose_pairs("photos", keyframes(20), few, options)
    assert (len(pairs), how) == (190, "exhaustive")
    counts = []
    for count in (60, 120):
        pairs, how = choose_pairs("photos", keyframes(count), features_along(np.arange(count) / 2), options)
        assert how == "similar"
        assert pairs == sorted(set(pairs))
        counts.append(len(pairs) / count)
    assert counts[1] < 1.2 * counts[0]
    more, _ = choose_pairs("photos", keyframes(120), features_along(np.arange(120) / 2), options, more=2)
    assert len(more) > len(pairs)


def test_gps_finds_neighbours_across_the_date_line():
    places = [(10.0, 179.9999), (10.0, -179.9999), (10.0, 179.99), (10.01, 179.9999), (None, None)]
    frames = keyframes(5, places)
    assert (0, 1) in gps_pairs(frames, 1)
    assert not any(4 in pair for pair in gps_pairs(frames, 3))
    assert gps_pairs(keyframes(3), 3) == set()
    half = [replace(frame, exif=Exif(latitude_deg=1.0)) for frame in keyframes(2)]
    assert gps_pairs(half, 1) == set()
