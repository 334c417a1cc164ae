"""What phones, cameras and other tools leave beside the photos is left out, and named."""

import pytest

from ds3d_pipeline.capture.picking import pick

PHOTOS = [f"IMG_{number:04}.HEIC" for number in range(1, 7)]


def test_the_videos_of_live_photos_are_left_out():
    videos = [name.replace("HEIC", "MOV") for name in PHOTOS]
    picked = pick(PHOTOS + videos)
    assert list(picked.names) == PHOTOS
    shown = "IMG_0001.MOV, IMG_0002.MOV, IMG_0003.MOV and 3 more"
    assert picked.unused == (f"6 videos of Live Photos are not used: {shown}.",)


def test_a_video_without_its_photo_is_no_live_photo():
    assert list(pick([*PHOTOS, "walk.mov"]).names) == [*PHOTOS, "walk.mov"]


@pytest.mark.parametrize(
    "folders", [("images", "images_2", "images_4"), ("a/images", "a/images_2"), ("images", "masks", "depth")]
)
def test_of_copies_of_the_same_photos_the_largest_are_used(folders):
    names = [f"{folder}/{number}.jpg" for folder in folders for number in range(4)]
    picked = pick(names)
    assert list(picked.names) == names[:4]
    (text,) = picked.unused
    assert all(folder in text for folder in folders[1:])


@pytest.mark.parametrize("folder", ["images_2", "masks"])
def test_a_folder_alone_is_used_whatever_its_name(folder):
    names = [f"{folder}/{number}.jpg" for number in range(4)]
    assert pick(names).names == tuple(names)
    assert pick(names).unused == ()


def test_photos_below_a_folder_with_photos_are_named():
    picked = pick(["a.jpg", "b.jpg", "old/a.jpg"])
    assert picked.names == ("a.jpg", "b.jpg")
    assert picked.unused == ("1 file in folders beside the photos is not used: old/a.jpg.",)


def test_masks_beside_photos_at_the_top_are_named():
    picked = pick(["a.jpg", "b.jpg", "masks/a.png"])
    assert picked.names == ("a.jpg", "b.jpg")
    assert len(picked.unused) == 1


def test_raw_photos_and_other_kinds_are_named():
    picked = pick(["a.jpg", "b.JPG", "03.DNG", "07.dng", "x.jxl", "notes.txt", ".hidden.dng"])
    assert picked.names == ("a.jpg", "b.JPG")
    assert picked.unused == (
        "2 raw photos cannot be read; export as JPEG: 03.DNG and 07.dng.",
        "1 file of other kinds cannot be read: x.jxl.",
    )


def test_companions_of_cameras_are_nothing_to_speak_of():
    assert pick(["a.jpg", "b.jpg", "DJI_1.SRT", "GOPR1.THM", "IMG_1.AAE", "info.json"]).unused == ()
