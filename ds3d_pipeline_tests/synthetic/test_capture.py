"""Captures on disk: photos, video, EXIF, truth."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.geometry.surfaces import distances_to_surface
from ds3d_pipeline.synthetic.capture import load_truth, make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, SyntheticOptions

SMALL = CameraOptions(size_wh=(160, 120), focal_px=140)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return folder, make_capture(folder, SyntheticOptions(camera=SMALL, frames=4))


def test_photos_have_their_names_size_and_focal_length(photos):
    _, truth = photos
    assert [frame.image for frame in truth.frames] == ["0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg"]
    for frame in truth.frames:
        with Image.open(truth.input / frame.image) as image:
            details = image.getexif().get_ifd(ExifTags.IFD.Exif)
            assert image.size == (160, 120)
        assert details[ExifTags.Base.FocalLengthIn35mmFilm] == round(140 * 43.2666 / 200)
        assert float(details[ExifTags.Base.FocalLength]) == pytest.approx(4.9)


def test_without_exif_photos_tell_nothing(tmp_path):
    truth = make_capture(tmp_path, SyntheticOptions(camera=SMALL, frames=1, exif=False))
    with Image.open(truth.input / "0001.jpg") as image:
        assert not image.getexif()


def test_truth_comes_back_from_its_files(photos):
    folder, truth = photos
    loaded = load_truth(folder)
    assert loaded.input == truth.input
    assert loaded.size_wh == truth.size_wh
    assert loaded.radial_k1 == truth.radial_k1
    for name in ("K", "vertices", "faces", "seen_points"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(truth, name))
    for read, written in zip(loaded.frames, truth.frames, strict=True):
        assert (read.image, read.timestamp_s) == (written.image, written.timestamp_s)
        np.testing.assert_array_equal(read.cam_from_world, written.cam_from_world)


def test_seen_points_lie_on_the_surface_inside_two_frames(photos):
    _, truth = photos
    points = truth.seen_points[::20]
    assert len(points) > 1000
    assert distances_to_surface(points, truth.vertices, truth.faces).max() < 1e-9
    inside = np.zeros(len(points), dtype=int)
    for frame in truth.frames:
        uv, depth = project(truth.K, frame.cam_from_world, points)
        inside += (depth > 0) & np.all((uv >= 0) & (uv < truth.size_wh), axis=1)
    assert inside.min() >= 2


def test_the_same_options_give_the_same_bytes(photos, tmp_path):
    _, truth = photos
    again = make_capture(tmp_path, SyntheticOptions(camera=SMALL, frames=4))
    for frame in truth.frames:
        assert (truth.input / frame.image).read_bytes() == (again.input / frame.image).read_bytes()


def test_a_video_has_its_frames_at_their_times(tmp_path):
    import av

    reported = []
    options = SyntheticOptions(camera=SMALL, frames=5, format="video", frames_per_second=8)
    truth = make_capture(tmp_path, options, reported.append)
    with av.open(truth.input) as container:
        decoded = list(container.decode(video=0))
    assert [frame.time for frame in decoded] == pytest.approx([0, 0.125, 0.25, 0.375, 0.5])
    assert [frame.timestamp_s for frame in truth.frames] == [0, 0.125, 0.25, 0.375, 0.5]
    assert (decoded[0].width, decoded[0].height) == (160, 120)
    assert reported == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_video_frames_show_what_photos_show(photos, tmp_path):
    import av

    _, truth = photos
    video = make_capture(tmp_path, SyntheticOptions(camera=SMALL, frames=4, format="video"))
    with av.open(video.input) as container:
        for frame, expected in zip(container.decode(video=0), truth.frames, strict=True):
            with Image.open(truth.input / expected.image) as image:
                photo = np.asarray(image, dtype=float)
            grey = frame.to_ndarray(format="rgb24").mean(axis=2) - photo.mean(axis=2)
            assert np.abs(grey).mean() < 6


def test_unusable_options_and_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        make_capture(tmp_path, SyntheticOptions(frames=0))
    odd = CameraOptions(size_wh=(161, 120))
    with pytest.raises(ValueError, match="even"):
        make_capture(tmp_path, SyntheticOptions(camera=odd, frames=1, format="video"))
    with pytest.raises(InputError, match=r"truth\.json"):
        load_truth(tmp_path / "empty")
