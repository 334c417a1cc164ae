import os
import shutil
import stat
import zipfile

import pytest

from ds3d_pipeline.capture.archive import iter_zip, unpack_zip
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError, UnreadableError


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def unpack(path, folder, **options):
    folder.mkdir()
    return unpack_zip(path, folder, CaptureOptions(**options))


def test_photos_get_safe_names_and_keep_their_own(tmp_path):
    names = ["b/10.JPG", "b/9.jpg", "a/x 'y'.png", "日本 🎥/-rf.heic", "a/9.jpg"]
    path = make_zip(tmp_path / "z.zip", [(name, name.encode()) for name in names])
    unpacked = unpack(path, tmp_path / "out")
    assert [photo.name for photo in unpacked] == [
        "a/9.jpg",
        "a/x 'y'.png",
        "b/9.jpg",
        "b/10.JPG",
        "日本 🎥/-rf.heic",
    ]
    assert [photo.path.name for photo in unpacked] == [
        "000001.jpg",
        "000002.png",
        "000003.jpg",
        "000004.jpg",
        "000005.heic",
    ]
    for photo in unpacked:
        assert photo.path.read_bytes() == photo.name.encode()
    assert sorted(os.listdir(tmp_path / "out")) == [photo.path.name for photo in unpacked]


def test_everything_but_photos_is_left_out(tmp_path):
    names = [
        "a.jpg",
        "__MACOSX/._a.jpg",
        ".b.jpg",
        "sub/.c/d.jpg",
        "K.txt",
        "clip.mp4",
        "inner.zip",
        "run.sh",
    ]
    path = make_zip(tmp_path / "z.zip", [(name, b"x") for name in names])
    assert [photo.name for photo in unpack(path, tmp_path / "out")] == ["a.jpg"]


def test_names_in_utf8_without_the_flag_are_understood(tmp_path):
    mojibake = "é.jpg".encode().decode("cp437")
    path = make_zip(tmp_path / "z.zip", [("PLACEHOLDR", b"x")])
    raw = mojibake.encode("cp437").rjust(10, b"a")
    path.write_bytes(path.read_bytes().replace(b"PLACEHOLDR", raw))
    assert unpack(path, tmp_path / "out")[0].name == "aaaaé.jpg"


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg", "C:/evil.jpg"]
)
def test_paths_that_lead_outside_are_refused(tmp_path, name):
    path = make_zip(tmp_path / "z.zip", [("good.jpg", b"x"), (name, b"x")])
    with pytest.raises(InputError, match=r"z\.zip contains a path outside"):
        unpack(path, tmp_path / "out")
    assert [p.name for p in tmp_path.rglob("*evil*")] == []
    assert list((tmp_path / "out").iterdir()) == []


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.jpg")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = make_zip(tmp_path / "z.zip", [(link, "/etc/passwd")])
    with pytest.raises(InputError, match=r"z\.zip contains a link \(link\.jpg\)"):
        unpack(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_declared_size_is_bounded(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", [("a.bmp", bytes(3_000_000)), ("b.bmp", bytes(3_000_000))])
    assert path.stat().st_size < 20_000
    with pytest.raises(InputError, match=r"bomb\.zip unpacks to more"):
        unpack(path, tmp_path / "out", max_bytes=5_000_000)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", [("a.bmp", bytes(8_000_000))])
    data = path.read_bytes().replace((8_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"bomb\.zip"):
        unpack(path, tmp_path / "out", max_bytes=2_000_000)
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= 2_000_000


def test_the_number_of_photos_is_bounded(tmp_path):
    path = make_zip(tmp_path / "z.zip", [(f"{i}.jpg", b"x") for i in range(6)])
    with pytest.raises(InputError, match=r"6 photos, more than the 5"):
        unpack(path, tmp_path / "out", max_files=5)


def test_encrypted_zips_are_refused(tmp_path):
    path = make_zip(tmp_path / "z.zip", [("a.jpg", b"x")])
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"z\.zip is password-protected"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "flip", "method", "name", "offset"])
def test_damaged_zips_are_refused(tmp_path, damage):
    content = os.urandom(2000)
    data = bytearray(make_zip(tmp_path / "z.zip", [("a.jpg", content)]).read_bytes())
    if damage == "flip":
        data[500] ^= 0xFF
    if damage == "method":
        data[data.index(b"PK\x01\x02") + 10] = 99
    if damage == "name":
        entry = data.index(b"PK\x01\x02")
        data[entry + 9], data[entry + 46] = 0x08, 0xD9
    if damage == "offset":
        data[data.index(b"PK\x05\x06") + 17] += 1
    damaged = {"text": b"hello", "cut": bytes(data[:1000]), "empty": b""}.get(damage, bytes(data))
    (tmp_path / "z.zip").write_bytes(damaged)
    with pytest.raises(InputError, match=r"^z\.zip is not a readable zip"):
        unpack(tmp_path / "z.zip", tmp_path / "out")


def test_a_zip_without_photos_is_refused(tmp_path):
    path = make_zip(tmp_path / "z.zip", [("readme.txt", b"x")])
    with pytest.raises(InputError, match=r"z\.zip contains no photos"):
        unpack(path, tmp_path / "out")


def test_files_may_be_deleted_between_steps(tmp_path):
    path = make_zip(tmp_path / "z.zip", [(f"{i}.jpg", b"x") for i in range(3)])
    for photo in iter_zip(path, tmp_path, CaptureOptions(), []):
        photo.path.unlink()
        assert list(tmp_path.glob("*.jpg")) == []


def bomb(path, size, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as archive, archive.open("a.png", "w", force_zip64=True) as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return path


@pytest.mark.fault("zip that swells")
def test_a_small_zip_that_becomes_large_is_refused_before_anything_is_unpacked(tmp_path):
    packed, folder = bomb(tmp_path / "z.zip", 100 << 20), tmp_path / "out"
    folder.mkdir()
    with pytest.raises(InputError, match="times its size"):
        unpack_zip(packed, folder, CaptureOptions())
    assert list(folder.iterdir()) == []


@pytest.mark.fault("zip that swells")
def test_many_small_photos_may_not_swell_together_either(tmp_path):
    path = make_zip(tmp_path / "z.zip", [(f"{i}.bmp", bytes(6_000_000)) for i in range(10)])
    with pytest.raises(InputError, match=r"^z\.zip unpacks to \d+ times its size\."):
        unpack(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.fault("zip that swells")
def test_a_zip_that_does_not_fit_on_the_disk_is_refused_with_numbers(tmp_path, monkeypatch):
    packed = make_zip(tmp_path / "z.zip", [("a.jpg", bytes(2_000_000))])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1_000_000))
    with pytest.raises(UnreadableError, match=r"are free in"):
        unpack_zip(packed, tmp_path, CaptureOptions())


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("at", [60, 200, 400])
@pytest.mark.fault("damage inside a zip")
def test_damage_in_any_compression_is_one_sentence(tmp_path, kind, at):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("a.jpg", os.urandom(2000))
    data = bytearray(path.read_bytes())
    data[at : at + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"^z\.zip is not a readable zip file"):
        unpack_zip(path, tmp_path, CaptureOptions())
