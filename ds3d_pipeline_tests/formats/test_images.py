"""The one reader of our own pictures."""

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.images import decode_rgb, read_gray, read_rgb, read_size_wh, read_thumbnail

READERS = [read_rgb, read_gray, read_size_wh, lambda path: read_thumbnail(path, (8, 8))]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "red.png"
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :, 0] = 250
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_what_cannot_be_read_is_named_in_one_sentence_by_every_reader(tmp_path, read, content):
    path = tmp_path / "000001.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StageError) as raised:
        read(path)
    assert raised.value.cause == f"The image {path} is missing or damaged."


def test_colours_come_in_the_order_red_green_blue(picture):
    rgb = read_rgb(picture)
    assert rgb.shape == (20, 40, 3)
    assert rgb[5, 5].tolist() == [250, 0, 0]
    assert decode_rgb(picture.read_bytes())[5, 5].tolist() == [250, 0, 0]
    assert decode_rgb(b"no picture") is None


def test_a_picture_can_be_asked_for_at_another_size(picture):
    assert read_rgb(picture, size_wh=(10, 6)).shape == (6, 10, 3)
    assert read_rgb(picture, max_side_px=10).shape == (5, 10, 3)
    assert read_rgb(picture, max_side_px=400).shape == (20, 40, 3)
    assert read_gray(picture, max_side_px=20).shape == (10, 20)


def test_a_header_and_a_thumbnail_keep_the_proportions(picture):
    assert read_size_wh(picture) == (40, 20)
    small = read_thumbnail(picture, (10, 10))
    assert (small.size, small.mode) == ((10, 5), "RGB")
    assert small.getpixel((2, 2)) == (250, 0, 0)


def test_pictures_are_read_as_they_are_whatever_their_orientation_says(tmp_path, picture):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(picture) as image:
        image.save(turned, exif=exif)
    assert read_rgb(turned).shape == (20, 40, 3)
    assert read_gray(turned).shape == (20, 40)
