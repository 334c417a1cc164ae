"""Lost frames by the user's own names, with their neighbours."""

import pytest

from ds3d_pipeline.poses.diagnosis.registration import Unregistered, describe_unregistered
from ds3d_pipeline.poses.report import UnregisteredFrame
from ds3d_pipeline.scene import Keyframe, Keyframes


def keyframes(count, kind="photos"):
    frames = [
        Keyframe(
            image=f"{n:06}.jpg",
            source=f"IMG_{n}.jpg" if kind == "photos" else "walk.mp4",
            timestamp_s=None if kind == "photos" else n / 2,
            sharpness=1,
            size_wh=(64, 48),
            camera=0,
        )
        for n in range(count)
    ]
    return Keyframes(kind=kind, frames=tuple(frames), considered=count)


def described(count, missing, kind="photos"):
    images = {f"{n:06}.jpg" for n in range(count) if n not in missing}
    return describe_unregistered(keyframes(count, kind), images)


def test_nothing_is_missing():
    assert described(5, ()) == Unregistered(unregistered_frames=(), largest_gap=0, unregistered_text="")


def test_a_photo_is_named_with_both_neighbours():
    result = described(5, (2,))
    (frame,) = result.unregistered_frames
    assert frame == UnregisteredFrame(
        image="000002.jpg",
        source="IMG_2.jpg",
        timestamp_s=None,
        after="IMG_1.jpg",
        before="IMG_3.jpg",
    )
    assert result.unregistered_text == "Not aligned: IMG_2.jpg (between IMG_1.jpg and IMG_3.jpg)."


def test_neighbours_are_registered_ones_and_video_frames_are_times():
    result = described(8, (3, 4, 5), "video")
    assert result.largest_gap == 3
    assert {(frame.after, frame.before) for frame in result.unregistered_frames} == {("1.00 s", "3.00 s")}
    assert result.unregistered_text == "Not aligned: 1.50 s to 2.50 s (3 frames, between 1.00 s and 3.00 s)."


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ((0, 1), "IMG_0.jpg and IMG_1.jpg (before IMG_2.jpg)"),
        ((4,), "IMG_4.jpg (after IMG_3.jpg)"),
        (range(5), "IMG_0.jpg to IMG_4.jpg (5 photos)"),
    ],
)
def test_ends_have_one_neighbour_or_none(missing, text):
    assert described(5, missing).unregistered_text == f"Not aligned: {text}."


def test_many_are_counted():
    result = described(20, (1, 3, 5, 7, 8, 11))
    assert len(result.unregistered_frames) == 6
    assert result.unregistered_text.count("between") == 3
    assert result.unregistered_text.endswith("; and 3 more.")
