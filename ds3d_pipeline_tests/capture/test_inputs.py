import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ds3d_pipeline.capture.content import examine
from ds3d_pipeline.capture.inputs import Inputs, capture_id, find_inputs
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline_tests.capture.samples import gray_images, noise_images, write_photo, write_video


def photos(folder, names):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_photo(folder / name, np.full((64, 96, 3), 20 * number, np.uint8))
    return folder


def zip_of(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    return path


def test_one_video(tmp_path):
    path = write_video(tmp_path / "My Clip.MP4", gray_images([1, 2]))
    inputs = find_inputs([path])
    assert inputs == Inputs(kind="video", files=(path,), names=("My Clip.MP4",), title="My Clip")
    (file,) = examine(inputs).files
    assert (file.name, file.bytes, file.left_out) == ("My Clip.MP4", path.stat().st_size, "")
    assert file.sha256 == file_sha256(path)


def test_a_folder_of_photos_in_natural_order(tmp_path):
    folder = photos(tmp_path / "my.capture", ["10.jpg", "9.jpg", "1.png"])
    (folder / "K.txt").write_text("1 0 0")
    (folder / ".hidden.jpg").write_bytes(b"x")
    inputs = find_inputs([folder])
    assert inputs.kind == "photos"
    assert inputs.names == ("1.png", "9.jpg", "10.jpg")
    assert inputs.title == "my.capture"
    assert examine(inputs).skipped == ()


def test_a_folders_own_photos_come_before_those_below(tmp_path):
    folder = photos(tmp_path / "a", ["1.jpg", "outputs/2.jpg"])
    assert find_inputs([folder]).names == ("1.jpg",)
    folder = photos(tmp_path / "b", ["x/1.jpg", "y/1.jpg"])
    assert find_inputs([folder]).names == ("x/1.jpg", "y/1.jpg")


def test_a_folder_with_one_video(tmp_path):
    (tmp_path / "clip").mkdir()
    write_video(tmp_path / "clip" / "a.mov", gray_images([1, 2]))
    assert examine(find_inputs([tmp_path / "clip"])).kind == "video"


def test_single_photos_and_folders_together_without_doubles(tmp_path):
    folder = photos(tmp_path / "f", ["1.jpg", "2.jpg"])
    inputs = find_inputs([folder / "2.jpg", folder, folder / ".." / "f" / "1.jpg"])
    assert inputs.names == ("1.jpg", "2.jpg")
    assert inputs.title == "2"


@pytest.mark.parametrize("count", [1, 2])
def test_few_photos_are_valid(tmp_path, count):
    folder = photos(tmp_path / "f", [f"{i}.jpg" for i in range(count)])
    assert len(examine(find_inputs([folder])).files) == count


def test_identical_photos_are_valid(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write_photo(tmp_path / name)
    assert len(examine(find_inputs([tmp_path])).files) == 3


@pytest.mark.parametrize("name", ["a b", "日本 🎥", 'it\'s "q"', "-rf", "$(x);`y`", "%s%n", "..."])
def test_odd_names(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos(Path(name), ["-1.jpg", "é '2'.jpg", "🎥.png"])
    inputs = find_inputs([Path(name)])
    assert len(inputs.files) == 3
    assert re.fullmatch(r"[a-z0-9._-]{1,48}-[0-9a-f]{8}", capture_id(inputs, examine(inputs).sha256))


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_not_utf8_is_shown_in_utf8(tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    write_photo(tmp_path / "plain.jpg").rename(file)
    assert tuple(photo.name for photo in examine(find_inputs([file])).files) == ("caf\ufffd.jpg",)


def empty_folder(path):
    path.mkdir()
    (path / "readme.txt").write_text("hello")
    return path


def cut_video(path):
    data = write_video(path, noise_images(10)).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def write(path, content):
    path.write_bytes(content)
    return path


def cut_photo(path):
    data = write_photo(path, noise_images(1)[0]).read_bytes()
    return write(path, data[: len(data) // 2])


UNUSABLE = {
    "missing.mp4": lambda path: path,
    "empty folder": empty_folder,
    "zero.mp4": lambda path: write(path, b""),
    "cut.mp4": cut_video,
    "text.mp4": lambda path: write(path, b"hello\n" * 99),
    "text.jpg": lambda path: write(path, b"hello\n" * 99),
    "cut.jpg": cut_photo,
    "pixel.png": lambda path: write_photo(path, np.zeros((1, 1, 3), np.uint8)),
    "notes.txt": lambda path: write(path, b"hello"),
    "no suffix": lambda path: write(path, b"hello"),
    "small.mp4": lambda path: write_video(path, gray_images([1, 2], 32, 32)),
    "text.zip": lambda path: write(path, b"hello"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_input_is_refused_by_name_in_one_sentence(tmp_path, name):
    path = UNUSABLE[name](tmp_path / name)
    with pytest.raises(InputError) as caught:
        examine(find_inputs([path]))
    assert name in caught.value.cause
    assert caught.value.cause.endswith(".")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy.endswith(".")


def test_nothing_at_all_is_refused():
    with pytest.raises(InputError, match=r"No input"):
        find_inputs([])


def test_a_pipe_is_refused_without_waiting_on_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match=r"pipe\.jpg is neither a file nor a folder"):
        examine(find_inputs([tmp_path / "pipe.jpg"]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.mp4", "b.mov"], "a.mp4 and b.mov are two videos"),
        (["a.mp4", "b.jpg"], "a.mp4 and b.jpg cannot be one capture"),
        (["a.jpg", "b.zip"], "b.zip and a.jpg cannot be one capture"),
        (["a.zip", "b.zip"], "a.zip and b.zip cannot be one capture"),
        (["a.zip", "b.mp4"], "b.mp4 and a.zip cannot be one capture"),
    ],
)
def test_mixtures_are_refused(tmp_path, names, message):
    paths = [write(tmp_path / name, b"x") for name in names]
    with pytest.raises(InputError, match=re.escape(message)):
        find_inputs(paths)


def test_bad_photos_among_good_ones_are_skipped_and_told(tmp_path):
    folder = photos(tmp_path / "f", ["1.jpg", "3.jpg"])
    write(folder / "0.jpg", b"text")
    cut_photo(folder / "2.jpg")
    write_photo(folder / "4.png", np.zeros((8, 8, 3), np.uint8))
    content = examine(find_inputs([folder]))
    assert [file.name for file in content.usable] == ["1.jpg", "3.jpg"]
    assert [reason.split()[0] for reason in content.skipped] == ["0.jpg", "2.jpg", "4.png"]


def test_bad_photos_that_leave_one_are_refused(tmp_path):
    folder = photos(tmp_path / "f", ["1.jpg"])
    write(folder / "2.jpg", b"text")
    with pytest.raises(InputError, match=r"^2\.jpg"):
        examine(find_inputs([folder]))


def test_a_zip_is_looked_into(tmp_path):
    folder = photos(tmp_path / "f", ["a/1.jpg", "a/2.jpg"])
    write(folder / "a" / "3.jpg", b"text")
    path = zip_of(folder, tmp_path / "my photos.zip")
    inputs = find_inputs([path])
    assert inputs.is_zip
    assert inputs.kind == "photos"
    assert inputs.files == (path,)
    assert inputs.title == "my photos"
    assert examine(inputs).skipped[0].startswith("a/3.jpg is not an image")


def test_a_zip_of_bad_photos_names_the_first(tmp_path):
    (tmp_path / "f").mkdir()
    write(tmp_path / "f" / "x.jpg", b"text")
    with pytest.raises(InputError, match=r"^x\.jpg is not an image"):
        examine(find_inputs([zip_of(tmp_path / "f", tmp_path / "z.zip")]))


def test_bounds_on_number_and_size(tmp_path):
    folder = photos(tmp_path / "f", ["1.jpg", "2.jpg", "3.jpg"])
    with pytest.raises(InputError, match=r"f has 3 photos, more than the limit of 2"):
        examine(find_inputs([folder]), CaptureOptions(max_files=2))
    with pytest.raises(InputError, match=r"bytes, more than the limit of 100"):
        examine(find_inputs([folder]), CaptureOptions(max_bytes=100))


def test_the_digest_depends_on_content_alone(tmp_path):
    folder = photos(tmp_path / "f", ["1.jpg", "2.jpg", "3.png"])
    digest = examine(find_inputs([folder])).sha256
    assert examine(find_inputs([zip_of(folder, tmp_path / "z.zip")])).sha256 == digest
    renamed = tmp_path / "g"
    renamed.mkdir()
    (folder / "1.jpg").rename(renamed / "9.jpg")
    (folder / "2.jpg").rename(renamed / "a.jpg")
    (folder / "3.png").rename(renamed / "0.png")
    assert examine(find_inputs([renamed])).sha256 == digest
    write_photo(renamed / "a.jpg")
    assert examine(find_inputs([renamed])).sha256 != digest


def test_real_captures_are_accepted(shared_data):
    assert examine(find_inputs([shared_data / "fox" / "fox.mp4"])).skipped == ()
    for name in ("fountain-P11", "sceaux-castle"):
        content = examine(find_inputs([shared_data / name / "images"]))
        assert len(content.files) == 11
        assert content.skipped == ()
