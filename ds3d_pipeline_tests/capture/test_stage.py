import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.capture.content import examine
from ds3d_pipeline.capture.inputs import find_inputs
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.video import iter_frames
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import Capture
from ds3d_pipeline.storage.registrations import Request
from ds3d_pipeline_tests.capture.samples import corner_image, gray_images, write_photo, write_video


def run_stage(tmp_path, inputs, options=None):
    """The stage as the runners start it; returns exit code and output folder."""
    request, output = tmp_path / "in", tmp_path / "out"
    request.mkdir()
    write_json(request / "request.json", Request(inputs=tuple(str(path) for path in inputs)))
    command = [sys.executable, "-m", "ds3d_pipeline.capture", str(request), str(output)]
    if options is not None:
        write_json(tmp_path / "options.json", options)
        command += ["--options", str(tmp_path / "options.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    assert sorted(path.name for path in request.iterdir()) == ["request.json"]
    return done.returncode, output


def result_of(output):
    return json.loads((output / "result.json").read_text(encoding="utf-8"))


def test_a_video(tmp_path):
    path = write_video(tmp_path / "-it's 日本 🎥.MOV", [corner_image()] * 3, rotation_deg=90)
    digest = examine(find_inputs([path])).sha256
    code, output = run_stage(tmp_path, [path])
    capture = read_json(output / "capture.json", Capture)
    (source,) = capture.sources
    assert code == 0
    assert capture.kind == "video"
    assert capture.sha256 == digest
    assert capture.video is not None
    assert (capture.video.rotation_deg, capture.video.frames) == (270, 3)
    assert (source.name, source.file, source.size_wh) == (path.name, "video.mov", (64, 96))
    assert source.bytes == path.stat().st_size
    path.unlink()
    assert len(list(iter_frames(output / "source" / source.file))) == 3
    assert result_of(output)["kind"] == "video"


@pytest.mark.parametrize(("place", "is_shared"), [("received/fox", True), ("uploads/fox", False)])
def test_what_was_sent_to_the_server_is_shared_and_what_is_the_users_is_copied(
    tmp_path, monkeypatch, place, is_shared
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / place
    folder.mkdir(parents=True)
    write_photo(folder / "a.jpg")
    code, output = run_stage(tmp_path, [folder / "a.jpg"])
    (source,) = read_json(output / "capture.json", Capture).sources
    made = output / "source" / source.file
    assert (code, made.samefile(folder / "a.jpg")) == (0, is_shared)
    assert made.read_bytes() == (folder / "a.jpg").read_bytes()


def test_photos_are_copied_under_safe_names(tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Acme"
    write_photo(folder / "b 10.JPG", np.rot90(corner_image()), exif)
    write_photo(folder / "b 9 🎥.heic")
    (folder / "bad.jpg").write_text("text")
    digest = examine(find_inputs([folder])).sha256
    code, output = run_stage(tmp_path, [folder])
    capture = read_json(output / "capture.json", Capture)
    assert code == 0
    assert [source.name for source in capture.sources] == ["b 9 🎥.heic", "b 10.JPG"]
    assert [source.file for source in capture.sources] == ["000001.heic", "000002.jpg"]
    assert [source.size_wh for source in capture.sources] == [(96, 64), (96, 64)]
    assert capture.sources[1].exif.make == "Acme"
    assert capture.sha256 == digest
    for source in capture.sources:
        assert (output / "source" / source.file).read_bytes() == (folder / source.name).read_bytes()
        assert (output / "source" / source.file).stat().st_nlink == 1
    result = result_of(output)
    assert (result["kind"], result["files"]) == ("photos", 2)
    assert result["bytes"] == sum(source.bytes for source in capture.sources)
    assert result["skipped"][0].startswith("bad.jpg ")


def test_a_zip_gives_the_same_capture_in_command_line_and_stage(tmp_path):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in (1, 2, 10):
            photo = write_photo(tmp_path / f"{number}.jpg", np.full((64, 64, 3), number * 20, np.uint8))
            archive.write(photo, f"trip/{number}.jpg")
        archive.writestr("trip/0.jpg", b"text")
    digest = examine(find_inputs([path])).sha256
    code, output = run_stage(tmp_path, [path])
    capture = read_json(output / "capture.json", Capture)
    assert code == 0
    assert capture.sha256 == digest
    assert [source.name for source in capture.sources] == ["trip/1.jpg", "trip/2.jpg", "trip/10.jpg"]
    kept = sorted(file.name for file in (output / "source").iterdir())
    assert kept == [source.file for source in capture.sources]
    assert result_of(output)["skipped"][0].startswith("trip/0.jpg ")


def test_unusable_input_ends_with_cause_and_remedy_and_no_files(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("hello")
    code, output = run_stage(tmp_path, [path])
    error = json.loads((output / "error.json").read_text(encoding="utf-8"))
    assert code == 3
    assert error["kind"] == "input"
    assert error["cause"].startswith("notes.jpg is not an image")
    assert error["remedy"]
    assert not (output / "source").exists()
    assert not (output / "capture.json").exists()


def test_options_reach_the_stage(tmp_path):
    path = write_video(tmp_path / "v.mp4", gray_images([1, 2]))
    code, output = run_stage(tmp_path, [path], CaptureOptions(min_side_px=200))
    assert code == 3
    assert "at least 200" in json.loads((output / "error.json").read_text())["cause"]


@pytest.mark.parametrize("name", ["fountain-P11", "sceaux-castle"])
def test_real_photos(tmp_path, shared_data, name):
    code, output = run_stage(tmp_path, [shared_data / name / "images"])
    assert code == 0
    assert len(read_json(output / "capture.json", Capture).sources) == 11
    shutil.rmtree(output)
