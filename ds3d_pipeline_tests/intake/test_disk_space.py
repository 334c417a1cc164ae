"""The disk a run takes, against what runs took, and the refusal of one that does not fit."""

import collections

import pytest

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.intake import disk_space as space
from ds3d_pipeline.intake.accept import check
from ds3d_pipeline.intake.disk_space import check_space, needed_bytes
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import Request
from ds3d_pipeline_tests.intake.watched.folder import put_photos, put_video, zip_of

Usage = collections.namedtuple("Usage", "total used free")


def options_of(mode):
    return {stage: MODES[mode].options(stage) for stage in STAGES}


def request_for(path):
    """What is registered of an upload that was checked."""
    checked = check([path], CaptureOptions())
    return Request(inputs=(str(path),), content=checked.content)


@pytest.fixture
def photos(tmp_path):
    """Eleven small photos, in number as fountain-P11."""
    return put_photos(tmp_path / "photos", 11)


def test_it_covers_what_fountain_took_and_is_no_wild_guess(photos):
    """Its bundles took 170 MB beside the staged photos in the mode balanced."""
    needed = needed_bytes(request_for(photos), options_of("balanced"))
    assert 170e6 < needed < 600e6


def test_larger_modes_and_more_photos_take_more(photos, tmp_path):
    sizes = [
        needed_bytes(request_for(photos), options_of(mode)) for mode in ("fastest", "balanced", "quality")
    ]
    assert sizes == sorted(sizes)
    more = put_photos(tmp_path / "more", 20)
    assert needed_bytes(request_for(more), options_of("balanced")) > sizes[1]


def test_a_zip_takes_what_its_photos_take(photos, tmp_path):
    packed = zip_of(photos, tmp_path / "photos.zip")
    ratio = needed_bytes(request_for(packed), options_of("quality")) / needed_bytes(
        request_for(photos), options_of("quality")
    )
    assert ratio == pytest.approx(1, rel=1e-3)


def test_a_full_disk_is_told_with_numbers_and_a_remedy(photos, tmp_path, monkeypatch):
    home = Home(root=tmp_path / "home", storage=str(tmp_path / "home" / "storage"))
    check_space(home, tmp_path / "out", request_for(photos), options_of("fastest"))
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: Usage(1, 1, 100e6))
    with pytest.raises(StageError, match=r"needs about 0\.3 GB of disk and 0\.1 GB are free") as error:
        check_space(home, tmp_path / "out", request_for(photos), options_of("fastest"))
    assert "ds3d clean" in error.value.remedy


def test_a_registration_of_an_earlier_version_takes_what_one_of_now_takes(photos, tmp_path):
    for path in (photos, zip_of(photos, tmp_path / "photos.zip"), put_video(tmp_path / "clip.mp4")):
        old, new = Request(inputs=(str(path),)), request_for(path)
        expected = pytest.approx(needed_bytes(new, options_of("balanced")), rel=1e-3)
        assert needed_bytes(old, options_of("balanced")) == expected


def zip_with_an_odd_offset(folder):
    data = bytearray(zip_of(put_photos(folder / "odd"), folder / "odd.zip").read_bytes())
    data[data.rindex(b"PK\x05\x06") + 12] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize("make", [lambda _: bytes(100), zip_with_an_odd_offset], ids=["zeros", "offset"])
def test_a_zip_that_broke_meanwhile_is_named(tmp_path, make):
    (tmp_path / "photos.zip").write_bytes(make(tmp_path))
    with pytest.raises(InputError, match=r"photos\.zip is not a readable zip"):
        needed_bytes(Request(inputs=(str(tmp_path / "photos.zip"),)), options_of("fastest"))
