"""Pictures of 360 degrees are refused by name, and no others."""

import cv2
import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.capture import panorama
from ds3d_pipeline.capture.content import examine
from ds3d_pipeline.capture.inputs import find_inputs
from ds3d_pipeline.capture.video import shows_panorama
from ds3d_pipeline.errors import InputError
from ds3d_pipeline_tests.keyframes.samples import texture, write_video

XMP = b'<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" %s/>'


def sphere(seed, width=640):
    """A texture that closes: its left edge goes on at its right one."""
    rng = np.random.default_rng(seed)
    tile = rng.integers(0, 255, (width // 20, width // 10, 3), np.uint8).astype(np.float32)
    wrapped = np.concatenate([tile, tile, tile], axis=1)
    large = cv2.resize(wrapped, (3 * width, width // 2), interpolation=cv2.INTER_CUBIC)
    return np.clip(large[:, width : 2 * width], 0, 255).astype(np.uint8)


def cut_out(seed, width=640):
    """An ordinary picture of the same shape."""
    start = 300 * seed
    return np.ascontiguousarray(texture()[: width // 2, start : start + width])


@pytest.mark.parametrize("seed", range(6))
def test_a_sphere_closes_and_a_cut_out_does_not(seed):
    assert panorama.has_shape((640, 320))
    assert panorama.closes(sphere(seed))
    assert not panorama.closes(cut_out(seed))


def test_plain_edges_prove_nothing():
    picture = np.full((320, 640, 3), 240, np.uint8)
    picture[100:200, 200:400] = sphere(0)[100:200, 200:400]
    assert not panorama.closes(picture)


@pytest.mark.parametrize(
    ("attribute", "says"),
    [
        (b'GPano:ProjectionType="equirectangular"', True),
        (b"<GPano:ProjectionType>equirectangular</GPano:ProjectionType>", True),
        (b'GPano:ProjectionType="cylindrical"', False),
        (b"", False),
    ],
)
def test_the_projection_is_read_from_xmp(attribute, says):
    assert panorama.says_so(XMP % attribute) == says


@pytest.mark.parametrize("by_xmp", [True, False])
def test_photos_of_360_degrees_are_refused_by_name(tmp_path, by_xmp):
    xmp = XMP % b'GPano:ProjectionType="equirectangular"'
    for number in range(3):
        picture = cut_out(number, 700)[:300] if by_xmp else sphere(number)
        extra = {"xmp": xmp} if by_xmp else {}
        Image.fromarray(picture).save(tmp_path / f"{number}.jpg", quality=90, **extra)
    with pytest.raises(InputError, match=r"0\.jpg shows 360 degrees"):
        examine(find_inputs([tmp_path]))


def test_ordinary_photos_of_that_shape_are_taken(tmp_path):
    for number in range(3):
        Image.fromarray(cut_out(number)).save(tmp_path / f"{number}.jpg")
    assert len(examine(find_inputs([tmp_path])).usable) == 3


def test_a_video_of_360_degrees_is_refused_by_name(tmp_path):
    path = write_video(tmp_path / "walk.mp4", [np.roll(sphere(0), 3 * n, axis=1) for n in range(20)])
    with pytest.raises(InputError, match=r"walk\.mp4 shows 360 degrees"):
        examine(find_inputs([path]))
    assert not shows_panorama(write_video(tmp_path / "b.mp4", [cut_out(n % 6) for n in range(20)]))
