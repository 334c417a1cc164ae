import json
import subprocess
import sys

import pytest
from PIL import Image

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.stage import choose_keyframes
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Capture, Keyframes
from ds3d_pipeline_tests.keyframes.samples import keyframes_of, photo_work, view


def photo(path, x=0.0, *, blur_px=0, focal_35mm=None, model=None, rotate=False):
    image = Image.fromarray(view(x, blur_px=blur_px))
    exif = Image.Exif()
    if model:
        exif[0x0110] = model
    if focal_35mm:
        exif.get_ifd(0x8769)[0xA405] = focal_35mm
    image = image.rotate(90, expand=True) if rotate else image
    image.save(path, exif=exif)
    return path


def test_all_photos_in_order_at_the_size_of_the_mode(tmp_path):
    paths = [photo(tmp_path / f"{n}.png", 50 * n) for n in range(5)]
    work = photo_work(tmp_path, paths, KeyframesOptions(max_side_px=160))
    keyframes = keyframes_of(work)
    assert [frame.source for frame in keyframes.frames] == [f"my {n}.png" for n in range(5)]
    assert [frame.image for frame in keyframes.frames] == [f"{n:06d}.jpg" for n in range(1, 6)]
    assert {frame.size_wh for frame in keyframes.frames} == {(160, 120)}
    assert keyframes.dropped == {}
    assert sorted(p.name for p in (work.output / "images").iterdir()) == [
        frame.image for frame in keyframes.frames
    ]
    with Image.open(work.output / "images" / "000001.jpg") as image:
        assert image.size == (160, 120)
        assert image.format == "JPEG"


def test_duplicates_by_content_and_by_pixels(tmp_path):
    paths = [photo(tmp_path / "a.png", 10), photo(tmp_path / "b.png", 60)]
    (tmp_path / "c.png").write_bytes(paths[0].read_bytes())
    Image.open(paths[1]).save(tmp_path / "d.bmp")
    keyframes = keyframes_of(photo_work(tmp_path, [*paths, tmp_path / "c.png", tmp_path / "d.bmp"]))
    assert [frame.source for frame in keyframes.frames] == ["my a.png", "my b.png"]
    assert keyframes.considered == 4
    assert keyframes.dropped == {"duplicate": 2}


def test_unreadable_photos_are_counted(tmp_path):
    paths = [photo(tmp_path / f"{n}.jpg", 90 * n) for n in range(3)]
    work = photo_work(tmp_path, paths)
    (work.input / "source" / "1.jpg").unlink()
    (work.input / "source" / "1.jpg").write_bytes(paths[1].read_bytes()[:900])
    keyframes = keyframes_of(work)
    assert [frame.source for frame in keyframes.frames] == ["my 0.jpg", "my 2.jpg"]
    assert keyframes.dropped == {"unreadable": 1}


def test_no_readable_photo_is_refused(tmp_path):
    work = photo_work(tmp_path, [photo(tmp_path / "a.jpg")])
    (work.input / "source" / "a.jpg").unlink()
    (work.input / "source" / "a.jpg").write_text("text")
    with pytest.raises(InputError, match=r"my a\.jpg"):
        choose_keyframes(work)


def test_cameras_are_told_apart_by_optics_and_size(tmp_path):
    paths = [
        photo(tmp_path / "1.jpg", 0, model="A", focal_35mm=26),
        photo(tmp_path / "2.jpg", 50, model="A", focal_35mm=26),
        photo(tmp_path / "3.jpg", 100, model="A", focal_35mm=52),
        photo(tmp_path / "4.jpg", 150, model="A", focal_35mm=26, rotate=True),
        photo(tmp_path / "5.jpg", 200, model="B", focal_35mm=26),
        photo(tmp_path / "6.jpg", 250, model="A", focal_35mm=26),
    ]
    frames = keyframes_of(photo_work(tmp_path, paths, KeyframesOptions(max_side_px=160))).frames
    assert [frame.camera for frame in frames] == [0, 0, 1, 2, 3, 0]
    assert frames[0].focal_px == pytest.approx(26 / 43.2666 * 200, rel=1e-4)
    assert frames[2].focal_px == pytest.approx(2 * 26 / 43.2666 * 200, rel=1e-4)
    assert frames[3].size_wh == (120, 160)
    assert [frame.source_size_wh for frame in frames[2:4]] == [(320, 240), (240, 320)]
    assert frames[4].exif.model == "B"


def test_too_many_photos_are_thinned_out(tmp_path):
    paths = [photo(tmp_path / f"{n}.jpg", 40 * n, blur_px=0 if n % 3 == 2 else 9) for n in range(12)]
    work = photo_work(tmp_path, paths, KeyframesOptions(max_photos=4))
    frames = keyframes_of(work).frames
    assert [frame.source for frame in frames] == [f"my {n}.jpg" for n in (2, 5, 8, 11)]
    assert len(list((work.output / "images").iterdir())) == 4


def test_identical_photos_leave_one(tmp_path):
    paths = [photo(tmp_path / f"{n}.jpg", 10) for n in range(4)]
    keyframes = keyframes_of(photo_work(tmp_path, paths))
    assert len(keyframes.frames) == 1
    assert keyframes.dropped == {"duplicate": 3}


def test_as_a_program(tmp_path):
    work = photo_work(tmp_path, [photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg", 70)])
    before = sorted(p.name for p in work.input.rglob("*"))
    command = [sys.executable, "-m", "ds3d_pipeline.keyframes", str(work.input), str(work.output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((work.output / "result.json").read_text())["kept"] == 2
    assert len(read_json(work.output / "keyframes.json", Keyframes).frames) == 2
    assert len(read_json(work.input / "capture.json", Capture).sources) == 2
    assert sorted(p.name for p in work.input.rglob("*")) == before
