"""JPEGs that do not hold what their header promises, and those that hold very much."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.capture import jpeg
from ds3d_pipeline.capture.photos import check_complete, read_photo, read_size_and_exif
from ds3d_pipeline.errors import InputError
from ds3d_pipeline_tests.capture.samples import CORNERS, corner_image, corners_of, noise_images
from ds3d_pipeline_tests.capture.test_photos import FROM_UPRIGHT, exif_block

WAYS = (
    {},
    {"optimize": True},
    {"subsampling": 0},
    {"progressive": True},
    {"restart_marker_blocks": 3},
    {"restart_marker_rows": 1},
)
"""To save a JPEG."""


def declared(path, width, height):
    """The JPEG with another size in its header."""
    data = bytearray(path.read_bytes())
    at = next(at for mark in (b"\xff\xc0", b"\xff\xc2") if (at := data.find(mark)) >= 0)
    data[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data) + bytes(2_000_000)


@pytest.mark.fault("200 megapixels")
@pytest.mark.parametrize(
    ("size_wh", "progressive", "most"), [((30_000, 30_000), False, 712), ((16_000, 16_000), True, 228)]
)
def test_a_jpeg_may_have_more_megapixels(tmp_path, size_wh, progressive, most):
    path = tmp_path / "a.jpg"
    Image.fromarray(noise_images(1)[0]).save(path, progressive=progressive)
    assert read_size_and_exif(path, declared(path, 16_320, 12_240))[0] == (16_320, 12_240)
    with pytest.raises(InputError, match=rf"at most {most} can be read"):
        read_size_and_exif(path, declared(path, *size_wh))


@pytest.mark.fault("200 megapixels")
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_very_many_pixels_is_read_at_half_its_size(tmp_path, monkeypatch, progressive):
    monkeypatch.setattr(jpeg, "MOST_PIXELS", 5000)
    path = tmp_path / "a.jpg"
    stored = np.ascontiguousarray(FROM_UPRIGHT[6](corner_image(95, 63)))
    Image.fromarray(stored).save(path, exif=exif_block(6), progressive=progressive)
    assert read_size_and_exif(path)[0] == (94, 62)
    rgb = read_photo(path).rgb
    assert rgb.shape == (31, 47, 3)
    assert corners_of(rgb) == pytest.approx(CORNERS.astype(int), abs=25)


LARGE = """
import sys
from pathlib import Path
from ds3d_pipeline.capture.photos import check_complete, read_photo
check_complete(Path(sys.argv[1]))
shape = read_photo(Path(sys.argv[1])).rgb.shape
# Not getrusage, which counts what the process that started this one had.
(peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(shape, int(peak.split()[1]) // 1000)
"""


@pytest.mark.slow
@pytest.mark.fault("200 megapixels")
def test_200_megapixels_are_read_in_less_memory_than_178_would_take(tmp_path):
    picture = Image.new("RGB", (16_320, 12_240))
    picture.paste(Image.fromarray(noise_images(1, 6000, 6000)[0]), (10_000, 6_000))
    picture.save(tmp_path / "a.jpg")
    command = [sys.executable, "-c", LARGE, tmp_path / "a.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shape, _, megabytes = done.stdout.strip().rpartition(" ")
    assert shape == "(6120, 8160, 3)"
    assert int(megabytes) < 1600


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


@pytest.mark.fault("grey part")
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_jpeg_that_broke_off_and_was_closed_is_refused(tmp_path, options, mode, part):
    path = saved(tmp_path / "a.jpg", Image.fromarray(noise_images(1)[0]).convert(mode), **options)
    check_complete(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)].rstrip(b"\xff") + b"\xff\xd9")
    with pytest.raises(InputError, match=r"^a\.jpg is damaged: its last rows are missing"):
        check_complete(path)


@pytest.mark.fault("grey part")
@pytest.mark.parametrize("size_wh", [(320, 400), (360, 240), (320, 256)])
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_jpeg_whose_header_names_a_larger_size_is_refused(tmp_path, options, size_wh):
    path = saved(tmp_path / "a.jpg", Image.fromarray(noise_images(1)[0]), **options)
    with pytest.raises(InputError, match=r"^a\.jpg is damaged: its last rows are missing"):
        check_complete(path, declared(path, *size_wh))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_jpeg_that_is_really_grey_is_taken(tmp_path, options, mode):
    grey = Image.new(mode, (333, 77), (128,) * len(mode) if mode != "L" else 128)
    path = saved(tmp_path / "a.jpg", grey, **options)
    check_complete(path)
    path.write_bytes(path.read_bytes() + b"\xff\xd9 and what a phone writes behind a photo")
    check_complete(path)


def test_no_real_photo_is_called_damaged(shared_data):
    found = [path for path in shared_data.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")]
    assert len(found) > 100
    for path in found:
        check_complete(path)
