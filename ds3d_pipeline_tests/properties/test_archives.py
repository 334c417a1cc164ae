"""Zips that nobody can trust: they give photos or one sentence, and never touch anything else."""

import io
import shutil
import stat
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.capture.archive import unpack_zip
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError

OPTIONS = CaptureOptions(max_files=20, max_bytes=10_000)
parts = st.sampled_from(["..", ".", "", "a", "Ä", "b c", ".hidden", "__MACOSX", "C:", "\\", "..\\..", "~"])
suffixes = st.sampled_from([".jpg", ".JPG", ".png", ".txt", ".heic", ""])
paths = st.builds(
    lambda folders, name, suffix: "/".join([*folders, name]) + suffix,
    st.lists(parts, max_size=4),
    parts | st.text(min_size=1, max_size=8).filter(lambda t: "\0" not in t),
    suffixes,
)
members = st.dictionaries(paths, st.binary(max_size=300), min_size=1, max_size=6)


def make_zip(contents, *, mode: int = 0) -> bytes:
    """A zip of these names and contents; `mode` are the UNIX bits of every member."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in contents.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, content)
    return file.getvalue()


def around(scratch):
    """All that a path that leads outside could reach."""
    return sorted([*scratch.rglob("*"), *scratch.parent.iterdir()])


def unpacked(scratch, data: bytes):
    """What comes out, or the InputError; anything outside of the target folder is a failure."""
    room = scratch / "room"
    shutil.rmtree(room, ignore_errors=True)
    target = room / "a" / "b" / "target"
    target.mkdir(parents=True)
    (room / "upload.zip").write_bytes(data)
    before = around(scratch)
    try:
        found = unpack_zip(room / "upload.zip", target, OPTIONS)
    except InputError as error:
        found = error
    assert [path for path in around(scratch) if target not in path.parents] == before
    return found


@given(members)
def test_photos_come_out_whole_inside_the_folder_and_nothing_else_does(scratch, contents):
    found = unpacked(scratch, make_zip(contents))
    if isinstance(found, InputError):
        assert "upload.zip" in found.cause
        return
    for number, photo in enumerate(found, 1):
        assert photo.path.stem == f"{number:06d}"
        assert photo.path.is_file()
        assert not photo.path.is_symlink()
        assert photo.path.read_bytes() in contents.values()


@given(members)
def test_links_never_come_out(scratch, contents):
    assert isinstance(unpacked(scratch, make_zip(contents, mode=stat.S_IFLNK | 0o777)), InputError)


@given(
    st.dictionaries(st.sampled_from(["a.jpg", "b.png", "c/d.jpg"]), st.binary(max_size=60), min_size=1),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 10_000),
)
def test_a_damaged_zip_gives_photos_or_one_sentence(scratch, contents, changes, length):
    data = bytearray(make_zip(contents))
    for place, value in changes:
        data[place % len(data)] = value
    unpacked(scratch, bytes(data[: max(1, length % (2 * len(data)))]))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_zip_are_one_sentence(scratch, data):
    assert isinstance(unpacked(scratch, data), InputError)


@pytest.mark.parametrize("count", [OPTIONS.max_files, OPTIONS.max_files + 1])
def test_the_bound_on_photos_is_exact(scratch, count):
    found = unpacked(scratch, make_zip({f"{number}.jpg": b"x" for number in range(count)}))
    assert isinstance(found, InputError) == (count > OPTIONS.max_files)
