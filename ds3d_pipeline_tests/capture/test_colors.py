"""Photos of every colour space end with the sRGB numbers of their chart."""

import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from ds3d_pipeline.capture.photos import read_photo

CHART = np.array(
    [(200, 40, 30), (40, 180, 60), (40, 60, 200), (230, 200, 40), (128, 128, 128), (235, 120, 40)], np.uint8
)
"""sRGB."""
D65 = np.array([0.3127 / 0.3290, 1, 0.3583 / 0.3290])
PRIMARIES = {
    "sRGB": [(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)],
    "Display P3": [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)],
    "Adobe RGB": [(0.640, 0.330), (0.210, 0.710), (0.150, 0.060)],
    "BT.2020": [(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)],
}


def xyz_from_rgb(space):
    xy = np.array(PRIMARIES[space])
    columns = np.vstack([xy.T, 1 - xy.sum(axis=1)])
    return columns * np.linalg.solve(columns, D65)


def light_of(signal):
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def srgb_signal(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def chart_in(space, signal_of=srgb_signal):
    """The numbers (6, 3) that mean the chart's colours in another space, 0 to 1."""
    return signal_of(light_of(CHART / 255) @ np.linalg.solve(xyz_from_rgb(space), xyz_from_rgb("sRGB")).T)


def picture(numbers):
    """(64, 192, 3) with a field of 32 px for each colour."""
    fields = np.round(255 * np.clip(numbers, 0, 1)).astype(np.uint8).reshape(2, 3, 3)
    return Image.fromarray(fields.repeat(32, axis=0).repeat(64, axis=1))


def fields_of(rgb):
    return np.array([np.median(rgb[r + 8 : r + 24, c + 16 : c + 48], axis=(0, 1)) for r, c in PLACES])


PLACES = [(row, column) for row in (0, 32) for column in (0, 64, 128)]


def profile_of(space):
    """An ICC profile with these primaries and the curve of sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gain = (bradford @ np.array([0.96422, 1, 0.82521])) / (bradford @ D65)
    matrix = np.linalg.inv(bradford) @ np.diag(gain) @ bradford @ xyz_from_rgb(space)
    for index in range(struct.unpack_from(">I", data, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * index)
        if tag in (b"rXYZ", b"gXYZ", b"bXYZ"):
            column = matrix[:, b"rgb".index(tag[:1])]
            struct.pack_into(">iii", data, offset + 8, *[round(value * 65536) for value in column])
    return bytes(data)


@pytest.fixture(autouse=True)
def _heif():
    pillow_heif.register_heif_opener()


FORMATS = {
    ".jpg": {"quality": 98, "subsampling": 0},
    ".png": {},
    ".webp": {"lossless": True},
    ".tif": {},
    ".heic": {"quality": 98, "chroma": 444},
}


@pytest.mark.parametrize(
    ("suffix", "space"),
    [(suffix, space) for suffix in FORMATS for space in ("Display P3", "Adobe RGB", "sRGB")]
    # In 8 bits and compressed, its dark reds are too coarse for the limit.
    + [(suffix, "BT.2020") for suffix in (".png", ".webp", ".tif")],
)
def test_a_profile_is_obeyed_in_every_format(tmp_path, suffix, space):
    path = tmp_path / f"photo{suffix}"
    picture(chart_in(space)).save(path, icc_profile=profile_of(space), **FORMATS[suffix])
    assert np.abs(fields_of(read_photo(path).rgb) - CHART).max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparent_and_palette_pictures_obey_it_too(tmp_path, mode):
    path = tmp_path / "photo.png"
    image = picture(chart_in("Display P3"))
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    image.save(path, icc_profile=profile_of("Display P3"))
    assert np.abs(fields_of(read_photo(path).rgb) - CHART).max() <= 3


def test_a_profile_of_another_kind_than_the_pixels_is_left_aside(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("L", (64, 64), 128).save(path, icc_profile=profile_of("Display P3"))
    assert (read_photo(path).rgb == 128).all()


@pytest.mark.parametrize("profile", [b"\0" * 200, b"nonsense", profile_of("Display P3")[:300]])
def test_a_damaged_profile_is_left_aside(tmp_path, profile):
    path = tmp_path / "photo.png"
    picture(CHART / 255).save(path, icc_profile=profile)
    assert np.abs(fields_of(read_photo(path).rgb) - CHART).max() == 0


def test_adobe_rgb_is_known_by_the_mark_of_cameras(tmp_path):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    numbers = chart_in("Adobe RGB", lambda light: np.maximum(light, 0) ** (256 / 563))
    picture(numbers).save(path, exif=exif, **FORMATS[".jpg"])
    with Image.open(path) as stored:
        assert stored.getexif().get_ifd(0xA005)[1] == "R03"
    assert np.abs(fields_of(read_photo(path).rgb) - CHART).max() <= 3


@pytest.mark.parametrize(("space", "code"), [("Display P3", 12), ("BT.2020", 9), ("sRGB", 1)])
def test_heif_without_a_profile_goes_by_its_code_points(tmp_path, space, code):
    path = tmp_path / "photo.heic"
    save_heif(path, chart_in(space), code, 13)
    assert np.abs(fields_of(read_photo(path).rgb) - CHART).max() <= 3


def save_heif(path, numbers, primaries, transfer):
    image = pillow_heif.from_pillow(picture(numbers))
    image.save(
        path,
        quality=-1,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        matrix_coefficients=0,
        full_range_flag=1,
    )
    with Image.open(path) as opened:
        stored = opened.info["nclx_profile"]
    assert (stored["color_primaries"], stored["transfer_characteristics"]) == (primaries, transfer)


def test_diffuse_white_of_hdr_photos_is_where_videos_have_it(tmp_path):
    """203 nits: 0.58 of PQ and 0.75 of HLG (ITU-R BT.2408)."""
    found = []
    for name, code, white in (("pq", 16, 0.5807), ("hlg", 18, 0.75)):
        save_heif(tmp_path / f"{name}.heic", np.full((6, 3), white), 9, code)
        found.append(fields_of(read_photo(tmp_path / f"{name}.heic").rgb))
    assert np.abs(np.array(found) - 215).max() <= 4
