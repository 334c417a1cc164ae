import cv2
import numpy as np
import piexif
import pytest
from PIL import Image

from ds3d_pipeline.capture.photos import check_complete, read_photo, read_size_and_exif
from ds3d_pipeline.errors import InputError
from ds3d_pipeline_tests.capture.samples import CORNERS, corner_image, corners_of, noise_images, write_photo

SUFFIXES = [".jpg", ".png", ".bmp", ".tif", ".webp", ".heic"]
FROM_UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""EXIF 2.32, tag 0x0112: how the stored picture comes about from the upright one."""


@pytest.fixture(autouse=True)
def _heif_writer():
    from pillow_heif import register_heif_opener

    register_heif_opener()


def exif_block(orientation=1, **tags):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for tag, value in tags.items():
        exif[int(tag[1:], 16)] = value
    return exif


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_decodes_to_rgb(tmp_path, suffix):
    path = write_photo(tmp_path / f"photo{suffix}")
    rgb = read_photo(path).rgb
    assert rgb.shape == (64, 96, 3)
    assert rgb.dtype == np.uint8
    assert corners_of(rgb) == pytest.approx(CORNERS.astype(int), abs=8)
    assert read_size_and_exif(path)[0] == (96, 64)
    check_complete(path)


@pytest.mark.parametrize("orientation", FROM_UPRIGHT)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    stored = np.ascontiguousarray(FROM_UPRIGHT[orientation](corner_image()))
    path = write_photo(tmp_path / f"photo{suffix}", stored, exif_block(orientation))
    assert read_size_and_exif(path)[0] == (96, 64)
    assert corners_of(read_photo(path).rgb) == pytest.approx(CORNERS.astype(int), abs=8)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_comes_back_upright(tmp_path, orientation):
    stored = np.ascontiguousarray(FROM_UPRIGHT[orientation](corner_image()))
    path = write_photo(tmp_path / "photo.heic", stored, exif_block(orientation, x010F="Maker"))
    size_wh, exif = read_size_and_exif(path)
    photo = read_photo(path)
    assert size_wh == (96, 64)
    assert corners_of(photo.rgb) == pytest.approx(CORNERS.astype(int), abs=8)
    assert exif.make == photo.exif.make == "Maker"


def full_exif():
    return piexif.dump(
        {
            "0th": {piexif.ImageIFD.Make: b"Acme\0 ", piexif.ImageIFD.Model: b"Phone 3"},
            "Exif": {
                piexif.ExifIFD.FocalLength: (585, 100),
                piexif.ExifIFD.FocalLengthIn35mmFilm: 35,
                piexif.ExifIFD.LensModel: b"Acme wide",
                piexif.ExifIFD.DateTimeOriginal: b"2024:05:06 07:08:09",
            },
            "GPS": {
                piexif.GPSIFD.GPSLatitudeRef: b"S",
                piexif.GPSIFD.GPSLatitude: ((33, 1), (51, 1), (3600, 100)),
                piexif.GPSIFD.GPSLongitudeRef: b"E",
                piexif.GPSIFD.GPSLongitude: ((151, 1), (12, 1), (0, 1)),
                piexif.GPSIFD.GPSAltitudeRef: 1,
                piexif.GPSIFD.GPSAltitude: (25, 10),
            },
        }
    )


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".heic", ".png"])
def test_exif_is_read(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(corner_image()).save(path, exif=full_exif())
    exif = read_photo(path).exif
    assert (exif.make, exif.model, exif.lens) == ("Acme", "Phone 3", "Acme wide")
    assert (exif.focal_mm, exif.focal_35mm) == (5.85, 35)
    assert exif.taken_at == "2024-05-06T07:08:09"
    assert exif.latitude_deg == pytest.approx(-33.86)
    assert exif.longitude_deg == pytest.approx(151.2)
    assert exif.altitude_m == -2.5
    assert read_size_and_exif(path)[1] == exif


def test_meaningless_exif_values_are_left_out(tmp_path):
    block = piexif.dump(
        {
            "0th": {piexif.ImageIFD.Make: b" \0"},
            "Exif": {
                piexif.ExifIFD.FocalLength: (0, 0),
                piexif.ExifIFD.FocalLengthIn35mmFilm: 0,
                piexif.ExifIFD.DateTimeOriginal: b"0000:00:00 00:00:00",
            },
            "GPS": {piexif.GPSIFD.GPSLatitude: ((0, 0), (0, 0), (0, 0)), piexif.GPSIFD.GPSAltitude: (1, 0)},
        }
    )
    path = tmp_path / "photo.jpg"
    Image.fromarray(corner_image()).save(path, exif=block)
    exif = read_photo(path).exif
    assert set(vars(exif).values()) == {None}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_garbled_exif_block_does_not_cost_the_photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(corner_image()).save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    photo = read_photo(path)
    assert photo.exif.make is None
    assert photo.rgb.shape == (64, 96, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, suffix, channels):
    values = np.array([257 * 10, 257 * 100, 257 * 200, 65535], np.uint16)[:channels]
    path = tmp_path / f"photo{suffix}"
    cv2.imwrite(str(path), np.tile(values, (64, 64, 1)))
    expected = [10, 10, 10] if channels == 1 else [200, 100, 10]
    assert read_photo(path).rgb[5, 5].tolist() == expected


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_transparency_is_laid_over_black(tmp_path, suffix):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:] = (200, 100, 50, 255)
    rgba[:32, :, 3] = 0
    rgba[:32, :32, 3] = 128
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(rgba).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    rgb = read_photo(path).rgb
    assert rgb[10, 50].tolist() == [0, 0, 0]
    assert rgb[10, 10].tolist() == pytest.approx([100, 50, 25], abs=1)
    assert rgb[50, 50].tolist() == [200, 100, 50]


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "PA"])
def test_gray_and_palette_become_rgb(tmp_path, mode):
    path = tmp_path / "photo.tif" if mode == "PA" else tmp_path / "photo.png"
    picture = Image.fromarray(corner_image()).convert(mode if mode != "PA" else "P")
    picture.save(path)
    expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(read_photo(path).rgb, expected)


def test_palette_with_transparent_colour(tmp_path):
    picture = Image.new("P", (64, 64), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (0, 0, 32, 64))
    picture.save(tmp_path / "photo.png", transparency=0)
    rgb = read_photo(tmp_path / "photo.png").rgb
    assert rgb[5, 5].tolist() == [0, 0, 0]
    assert rgb[5, 60].tolist() == [0, 0, 255]


def test_cmyk_jpeg_is_converted(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(corner_image()).convert("CMYK").save(path, quality=95)
    assert corners_of(read_photo(path).rgb) == pytest.approx(CORNERS.astype(int), abs=8)


def test_a_wrong_suffix_does_not_matter(tmp_path):
    write_photo(tmp_path / "photo.png").rename(tmp_path / "photo.jpg")
    assert corners_of(read_photo(tmp_path / "photo.jpg").rgb) == pytest.approx(CORNERS.astype(int), abs=8)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_truncated_photos_are_refused_by_name(tmp_path, suffix, kept):
    path = write_photo(tmp_path / f"my photo{suffix}", noise_images(1)[0], exif_block(1))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match=r"^my photo"):
        read_photo(path)
    with pytest.raises(InputError, match=r"^my photo"):
        check_complete(path)


def test_an_intact_thumbnail_does_not_hide_a_truncated_jpeg(tmp_path):
    thumbnail = write_photo(tmp_path / "thumb.jpg").read_bytes()
    path = tmp_path / "photo.jpg"
    block = piexif.dump({"0th": {}, "1st": {piexif.ImageIFD.Compression: 6}, "thumbnail": thumbnail})
    Image.fromarray(noise_images(1)[0]).save(path, exif=block, quality=90)
    data = path.read_bytes()
    assert data.count(b"\xff\xd9") == 2
    check_complete(path)
    path.write_bytes(data[:-200])
    with pytest.raises(InputError, match=r"incomplete"):
        check_complete(path)


def test_progressive_and_multi_picture_jpegs_count_as_complete(tmp_path):
    image = Image.fromarray(noise_images(1)[0])
    image.save(tmp_path / "a.jpg", progressive=True)
    image.save(tmp_path / "b.jpg", format="MPO", save_all=True, append_images=[image])
    for name in ("a.jpg", "b.jpg"):
        check_complete(tmp_path / name)
        assert read_photo(tmp_path / name).rgb.shape == (240, 320, 3)


@pytest.mark.parametrize(
    "content", [b"", b"not a photo\n" * 50, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^notes\.jpg is not an image") as caught:
        read_size_and_exif(path)
    assert caught.value.remedy


def test_float_images_are_refused(tmp_path):
    Image.fromarray(np.ones((64, 64), np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(InputError, match=r"depth\.tif has 32-bit"):
        read_photo(tmp_path / "depth.tif")


def test_real_photo(shared_data):
    path = shared_data / "sceaux-castle" / "images" / "100_7100.JPG"
    size_wh, exif = read_size_and_exif(path)
    assert size_wh == (2832, 2128)
    assert exif.model == "KODAK Z612 ZOOM DIGITAL CAMERA"
    assert exif.focal_mm == pytest.approx(5.85)
    assert exif.taken_at == "2010-10-12T14:43:07"


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.fault("picture of few bytes")
def test_a_few_bytes_that_become_a_huge_picture_are_refused_by_the_header(tmp_path, suffix, recwarn):
    path = tmp_path / f"a.{suffix}"
    options = {"compression": "group4"} if suffix == "tif" else {}
    Image.new("1", (13_000, 13_000)).save(path, **options)
    with pytest.raises(InputError, match=rf"^a\.{suffix} has 169 megapixels in \d+ bytes, so it is no photo"):
        read_size_and_exif(path)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.fault("200 megapixels")
def test_more_megapixels_than_can_be_read_are_named(tmp_path):
    path = tmp_path / "a.bmp"
    Image.new("1", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[18:26] = (16_320).to_bytes(4, "little") + (12_240).to_bytes(4, "little")
    with pytest.raises(InputError, match=r"^a\.bmp has 200 megapixels; at most 178 can be read"):
        read_size_and_exif(path, bytes(data))
