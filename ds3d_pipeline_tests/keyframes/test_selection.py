from itertools import pairwise

import numpy as np
import pytest

from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.selection import FrameMeasure, select_frames, spread_evenly


def measures(motions, *, fps=30.0, sharpness=None):
    sharp = np.ones(len(motions)) if sharpness is None else sharpness
    return [
        FrameMeasure(index=n, timestamp_s=n / fps, sharpness=float(sharp[n]), motion=float(motion))
        for n, motion in enumerate(motions)
    ]


def gaps(frames, chosen, name):
    return [getattr(frames[b], name) - getattr(frames[a], name) for a, b in pairwise(chosen)]


def test_windows_follow_motion_not_the_clock():
    """Three seconds slow, three seconds ten times as fast: 2.25 and 22.5 steps."""
    motion = np.cumsum([0.001] * 90 + [0.01] * 90)
    chosen = select_frames(measures(motion), KeyframesOptions(max_frames=25))
    slow = sum(position < 90 for position in chosen)
    assert 2 <= slow <= 4
    assert len(chosen) - slow >= 18


def test_keyframes_to_spare_go_to_slow_motion():
    motion = np.cumsum([0.001] * 90 + [0.01] * 90)
    scarce = select_frames(measures(motion), KeyframesOptions(max_frames=25))
    ample = select_frames(measures(motion), KeyframesOptions(max_frames=200))
    assert len(scarce) + 8 <= len(ample) <= 60


def test_the_sharpest_of_each_window():
    sharp = np.where(np.arange(120) % 3 == 1, 1.0, 0.7)
    chosen = select_frames(measures(np.arange(120) * 0.012, sharpness=sharp), KeyframesOptions())
    assert len(chosen) >= 20
    assert {position % 3 for position in chosen} == {1}


def test_a_still_camera_gets_the_coverage_floor_only():
    frames = measures(np.zeros(600))
    chosen = select_frames(frames, KeyframesOptions(max_gap_s=2.0))
    assert 10 <= len(chosen) <= 20
    assert max(gaps(frames, chosen, "timestamp_s")) <= 2.0


@pytest.mark.parametrize("max_frames", [1, 2, 7, 40, 90])
def test_never_more_than_max_frames_and_most_of_them(max_frames):
    motion = np.cumsum(np.random.default_rng(0).exponential(0.01, 1500))
    chosen = select_frames(measures(motion), KeyframesOptions(max_frames=max_frames))
    assert 0.8 * max_frames <= len(chosen) <= max_frames
    assert chosen == sorted(set(chosen))


def test_the_coverage_floor_of_motion_holds_while_the_count_allows():
    motion = np.cumsum(np.random.default_rng(1).exponential(0.02, 600))
    frames = measures(motion)
    chosen = select_frames(frames, KeyframesOptions(max_frames=90))
    assert max(gaps(frames, chosen, "motion")) <= 0.25


def test_both_sides_of_a_jump():
    frames = measures([0, 0.001, 0.002, 0.3, 0.301])
    assert set(select_frames(frames, KeyframesOptions())) >= {2, 3}


def test_few_frames_a_second_are_nearly_all_kept():
    motion = np.cumsum(np.random.default_rng(2).uniform(0.005, 0.05, 50))
    assert len(select_frames(measures(motion, fps=5), KeyframesOptions(max_frames=200))) >= 48


def test_none_and_one():
    assert select_frames([], KeyframesOptions()) == []
    assert select_frames(measures([0.0]), KeyframesOptions()) == [0]


def test_photos_are_thinned_out_evenly():
    sharp = np.random.default_rng(5).uniform(size=100)
    kept = spread_evenly(list(sharp), 20)
    assert len(kept) == 20
    assert all(position // 5 == number for number, position in enumerate(kept))
    assert all(sharp[p] == sharp[p // 5 * 5 : p // 5 * 5 + 5].max() for p in kept)
    assert spread_evenly([0.1, 0.2], 2) == [0, 1]
