"""The desk: how often files are opened, what is remembered of them, and what becomes of one that changes."""

import dataclasses
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.stage import stage_capture
from ds3d_pipeline.errors import InputError, UnreadableError
from ds3d_pipeline.execution.freshness import find_fresh, fingerprint
from ds3d_pipeline.intake.accept import accept, check
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import Capture
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.registrations import (
    Request,
    content_versions,
    register_upload,
    registered_request,
    upload_files,
)
from ds3d_pipeline_tests.disks import fill, small_disk
from ds3d_pipeline_tests.execution.test_freshness import RESULTS
from ds3d_pipeline_tests.homes import put_bundle
from ds3d_pipeline_tests.intake.watched.folder import put_photo, put_photos, put_video, zip_of

OPTIONS = CaptureOptions()
COUNTED: list[Counter] = []


def _count(event: str, arguments: tuple) -> None:
    if event == "open" and COUNTED and isinstance(arguments[0], str | Path):
        COUNTED[-1][str(arguments[0])] += 1


sys.addaudithook(_count)
"""Hooks stay for good; this one does nothing while nobody counts."""


class Counting:
    """Counts how often Python opens files, and the bytes that this process reads by any way."""

    def __enter__(self) -> "Counting":
        self.opened: Counter = Counter()
        COUNTED.append(self.opened)
        self._before = _bytes_read()
        return self

    def __exit__(self, *_: object) -> None:
        self.read = _bytes_read() - self._before
        COUNTED.pop()


def _bytes_read() -> int:
    io = Path("/proc/self/io")
    if not io.exists():
        pytest.skip("this system does not count what a process reads")
    return int(io.read_text().split("rchar: ")[1].split()[0])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


def stage(home, capture: str, output: Path, options: CaptureOptions = OPTIONS) -> Capture:
    """The stage's own function in this process, on what is registered."""
    output.mkdir()
    folder = upload_files(home, capture)["request.json"].parent
    work = Work(input=folder, output=output, backend="local", options=options, progress=Progress(None))
    stage_capture(work)
    return read_json(output / "capture.json", Capture)


def large_photos(folder: Path) -> Path:
    """Four of 1 MB, beside which nothing else counts; of JPEGs Pillow reads the header only."""
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 255, (1000, 1000, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.jpg", quality=95)
    return folder


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_photo_is_opened_and_read_once_to_be_checked_and_once_to_be_copied(home, tmp_path):
    photos = large_photos(tmp_path / "photos")
    with Counting() as checking:
        accepted = accept([photos], OPTIONS)
    with Counting() as copying:
        stage(home, accepted.capture, tmp_path / "out")
    for counting in (checking, copying):
        assert {counting.opened[str(photo)] for photo in photos.iterdir()} == {1}
        assert 1.0 <= counting.read / size_of(photos) < 1.1


def test_a_zip_is_opened_and_unpacked_once_to_be_checked_and_once_to_be_copied(home, tmp_path):
    photos = large_photos(tmp_path / "photos")
    packed = zip_of(photos, tmp_path / "photos.zip")
    with Counting() as checking:
        accepted = accept([packed], OPTIONS)
    with Counting() as copying:
        stage(home, accepted.capture, tmp_path / "out")
    assert (checking.opened[str(packed)], copying.opened[str(packed)]) == (1, 1)
    # Each photo is unpacked to a file that is read to be looked at.
    assert 1.0 <= checking.read / size_of(photos) < 2.1
    assert 1.0 <= copying.read / size_of(photos) < 1.1


def test_a_video_is_read_once_to_be_hashed_and_once_to_be_copied(home, tmp_path):
    """FFmpeg opens it once more, which Python does not see, and reads the header and the first frames.

    To be checked it is opened twice: some bytes say whether its end is missing.
    """
    clip = put_video(tmp_path / "clip.mp4")
    with clip.open("ab") as file:
        file.write(b"\x00\x98\x96\x80free" + bytes(10_000_000 - 8))
    with Counting() as checking:
        accepted = accept([clip], OPTIONS)
    with Counting() as copying:
        stage(home, accepted.capture, tmp_path / "out")
    assert (checking.opened[str(clip)], copying.opened[str(clip)]) == (2, 1)
    for counting in (checking, copying):
        assert 1.0 <= counting.read / clip.stat().st_size < 1.2


def test_what_is_registered_tells_of_every_file(home, tmp_path):
    photos = put_photos(tmp_path / "photos")
    (photos / "IMG_0.png").write_bytes(b"text")
    accepted = accept([photos], OPTIONS, "cup")
    request = registered_request(home, "cup")
    assert request == Request(inputs=(str(photos),), content=accepted.content)
    assert [file.name for file in accepted.content.files] == ["IMG_0.png", "IMG_1.png", "IMG_2.png"]
    assert accepted.content.skipped[0].startswith("IMG_0.png is not an image")
    capture = stage(home, "cup", tmp_path / "out")
    assert [source.name for source in capture.sources] == ["IMG_1.png", "IMG_2.png"]
    assert capture.sha256 == accepted.content.sha256


def change(photo: Path) -> None:
    put_photo(photo, 77)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def remove(photo: Path) -> None:
    photo.unlink()


def add(photo: Path) -> None:
    put_photo(photo.with_name("IMG_9.png"), 9)


@pytest.mark.parametrize(
    ("happens", "what"),
    [
        (change, "IMG_1.png changed since it was checked."),
        (append, "IMG_1.png changed since it was checked."),
        (remove, "IMG_1.png disappeared since the files were checked."),
        (add, "IMG_9.png was added since the files were checked."),
    ],
)
@pytest.mark.parametrize("options", [OPTIONS, CaptureOptions(max_files=50)])
@pytest.mark.fault("upload replaced")
def test_photos_that_change_between_check_and_run_stop_it(home, tmp_path, happens, what, options):
    photos = put_photos(tmp_path / "photos")
    capture = accept([photos], OPTIONS).capture
    happens(photos / "IMG_1.png")
    with pytest.raises(InputError) as error:
        stage(home, capture, tmp_path / "out", options)
    assert str(error.value) == f"{what} Run the same command again."
    assert stage(home, accept([photos], OPTIONS).capture, tmp_path / "again").sources


@pytest.mark.fault("upload replaced")
def test_a_video_that_grows_between_check_and_run_stops_it(home, tmp_path):
    clip = put_video(tmp_path / "clip.mp4")
    capture = accept([clip], OPTIONS).capture
    append(clip)
    with pytest.raises(InputError, match=r"^clip\.mp4 changed since it was checked\."):
        stage(home, capture, tmp_path / "out")


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.fault("upload replaced")
def test_a_zip_that_changes_between_check_and_run_stops_it(home, tmp_path, count):
    packed = zip_of(put_photos(tmp_path / "photos"), tmp_path / "photos.zip")
    capture = accept([packed], OPTIONS).capture
    packed.unlink()
    zip_of(put_photos(tmp_path / "other", count), packed)
    with pytest.raises(InputError, match=r"^photos\.zip changed since it was checked\."):
        stage(home, capture, tmp_path / "out")


def test_a_bad_photo_counts_neither_in_a_zip_nor_in_a_folder(home, tmp_path):
    photos = put_photos(tmp_path / "photos")
    (photos / "IMG_7.png").write_bytes(b"text")
    packed = zip_of(photos, tmp_path / "photos.zip")
    assert accept([packed], OPTIONS).content.sha256 == accept([photos], OPTIONS).content.sha256
    capture = stage(home, accept([packed], OPTIONS).capture, tmp_path / "out")
    assert [source.name for source in capture.sources] == ["IMG_0.png", "IMG_1.png", "IMG_2.png"]


def test_bounds_that_changed_since_the_check_hold_in_the_run(home, tmp_path):
    photos = put_photos(tmp_path / "photos")
    put_photo(photos / "IMG_3.png")
    capture = accept([photos], OPTIONS).capture
    with pytest.raises(InputError, match=r"4 photos, more than the limit of 3"):
        stage(home, capture, tmp_path / "out", CaptureOptions(max_files=3))


def test_a_registration_of_an_earlier_version_is_checked_when_it_is_staged(home, tmp_path):
    photos = put_photos(tmp_path / "photos")
    accept([photos], OPTIONS, "old")
    write_json(home.registered / "old" / "request.json", {"inputs": [str(photos)], "name": None})
    (photos / "IMG_0.png").write_bytes(b"text")
    capture = stage(home, "old", tmp_path / "out")
    assert [source.name for source in capture.sources] == ["IMG_1.png", "IMG_2.png"]


def test_a_staged_capture_stays_fresh_whatever_becomes_of_times_and_places(home, tmp_path):
    photos = put_photos(tmp_path / "photos")
    options = RunRequest(output=tmp_path, source="command_line").all_options()
    accept([photos], OPTIONS, "cup")
    mark = fingerprint("capture", OPTIONS, None, content_versions(upload_files(home, "cup")))
    put_bundle(home, "capture", "cup", mark, result=RESULTS["capture"])
    moved = photos.rename(tmp_path / "moved")
    (moved / "IMG_0.png").touch()
    accept([moved], OPTIONS, "cup")
    assert list(find_fresh(home, "cup", options, {})) == ["capture"]
    put_photo(moved / "IMG_0.png", 5)
    accept([moved], OPTIONS, "cup")
    assert list(find_fresh(home, "cup", options, {})) == []


def test_other_options_for_the_same_content_are_the_same_capture(home, tmp_path):
    photos = put_photos(tmp_path / "photos")
    first = accept([photos], OPTIONS)
    second = accept([photos], dataclasses.replace(OPTIONS, max_files=50))
    assert first.capture == second.capture
    assert first.content.sha256 == second.content.sha256


def test_unusable_input_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    (tmp_path / "notes.jpg").write_text("hello")
    with pytest.raises(InputError, match=r"^notes\.jpg is not an image"):
        accept([tmp_path / "notes.jpg"], OPTIONS)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["", "con", "aux.txt", "a.", "a-", "_x", ".hidden", "..", "-rf", "A", "a/b"])
@pytest.mark.fault("name of a Windows device", "hidden name")
def test_a_name_that_is_no_folder_everywhere_is_refused_and_registers_nothing(home, tmp_path, name):
    with pytest.raises(InputError, match="start and end with a letter or digit"):
        accept([put_photos(tmp_path / "photos")], OPTIONS, name)
    assert list(home.registered.glob("*")) == []


@pytest.mark.parametrize("name", ["con", "aux.txt", "a.", "a-", "_x", ".hidden"])
def test_a_capture_that_an_earlier_version_named_otherwise_is_read_and_made_again(home, tmp_path, name):
    folder = put_photos(tmp_path / "photos")
    register_upload(home, name, [folder], check([folder], OPTIONS).content)
    assert registered_request(home, name).paths == [folder]
    assert accept([folder], OPTIONS, name).capture == name


@pytest.mark.fault("full folder of temporary files")
def test_a_zip_is_unpacked_in_the_home_and_a_full_disk_there_is_named(tmp_path, monkeypatch):
    packed = zip_of(put_photos(tmp_path / "photos"), tmp_path / "photos.zip")
    with small_disk(tmp_path / "disk", 1000) as disk:
        monkeypatch.setenv("DAGSTER_HOME", str(disk))
        home = prepare_home()
        fill(disk)
        with pytest.raises(UnreadableError, match=r"^photos\.zip .*" + re.escape(str(disk))) as caught:
            accept([packed], OPTIONS)
        assert caught.value.remedy.startswith("Free some space")
        assert list(home.registered.glob("*/*")) == list(home.work.iterdir()) == []
    assert packed.exists()


@pytest.mark.fault("full folder of temporary files")
def test_the_first_zip_of_a_new_home_is_unpacked_there_too(tmp_path, monkeypatch):
    packed = zip_of(put_photos(tmp_path / "photos"), tmp_path / "photos.zip")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with small_disk(tmp_path / "disk", 100) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        fill(disk)
        assert len(accept([packed], OPTIONS).content.files) == 3
    assert list((tmp_path / "home" / "work").iterdir()) == []
