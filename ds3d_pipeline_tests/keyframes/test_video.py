import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.capture.video import frames_at
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.stage import choose_keyframes
from ds3d_pipeline.programs.records import read_json
from ds3d_pipeline.scene import Keyframes
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline_tests.keyframes.samples import (
    DIAGONAL,
    keyframes_of,
    texture,
    video_work,
    view,
    write_changing,
    write_video,
)

BLACK = np.full((240, 320, 3), 6, np.uint8)


def positions(keyframes, fps=30):
    return [round(frame.timestamp_s * fps) for frame in keyframes.frames]


def test_files_and_records(tmp_path):
    path = write_video(tmp_path / "v.mp4", [view(200 + 4 * n) for n in range(60)])
    work = video_work(tmp_path, path)
    result = choose_keyframes(work)
    keyframes = json.loads((work.output / "keyframes.json").read_text())
    names = [frame["image"] for frame in keyframes["frames"]]
    assert names == [f"{n:06d}.jpg" for n in range(1, len(names) + 1)]
    assert sorted(p.name for p in (work.output / "images").iterdir()) == names
    assert result.kept == len(names)
    assert result.considered == 60
    assert result.size == (320, 240)
    assert result.fps == pytest.approx(30, abs=0.1)
    assert result.total_motion == pytest.approx(59 * 4 / DIAGONAL, rel=0.05)
    assert 0 < (work.output / "contact_sheet.jpg").stat().st_size < 50_000
    assert 0 < (work.output / "sharpness.png").stat().st_size < 50_000
    progress = [
        json.loads(line)["fraction"] for line in (work.output / "progress.jsonl").read_text().splitlines()
    ]
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_pictures_are_those_of_the_stated_times(tmp_path):
    path = write_video(tmp_path / "v.mp4", [view(200 + 5 * n) for n in range(60)])
    work = video_work(tmp_path, path)
    keyframes = keyframes_of(work)
    truth = np.stack([frame.rgb for frame in frames_at(path, range(60))]).astype(np.int16)
    for frame, position in zip(keyframes.frames, positions(keyframes), strict=True):
        with Image.open(work.output / "images" / frame.image) as image:
            assert {layer[1:3] for layer in image.layer} == {(1, 1)}
            differences = np.abs(truth - np.asarray(image)).mean(axis=(1, 2, 3))
        assert np.argmin(differences) == position
        assert differences[position] < 4


def test_black_frozen_and_duplicate_frames_are_dropped(tmp_path):
    moving = [view(200 + 5 * n) for n in range(20)]
    images = [*[BLACK] * 5, *moving, *[moving[-1]] * 30, view(310), view(310), view(316), view(322)]
    keyframes = keyframes_of(video_work(tmp_path, write_video(tmp_path / "v.mp4", images)))
    assert keyframes.considered == len(images)
    assert keyframes.dropped == {"black": 5, "frozen": 30, "duplicate": 1}
    assert not set(positions(keyframes)) & {*range(5), *range(25, 55), 56}


def test_slow_motion_is_not_taken_for_frozen(tmp_path):
    images = [view(200 + 0.3 * n) for n in range(60)]
    assert "frozen" not in keyframes_of(video_work(tmp_path, write_video(tmp_path / "v.mp4", images))).dropped


def test_sharp_frames_are_preferred(tmp_path):
    images = [view(200 + 3 * n, blur_px=0 if n % 3 == 1 else 9) for n in range(90)]
    keyframes = keyframes_of(video_work(tmp_path, write_video(tmp_path / "v.mp4", images)))
    sharp = sum(position % 3 == 1 for position in positions(keyframes))
    assert sharp >= 0.9 * len(keyframes.frames)
    assert len(keyframes.frames) >= 12


def test_a_fast_blurred_pan_is_covered(tmp_path):
    speeds = [1] * 40 + [30] * 20 + [1] * 40
    offsets = 200 + np.cumsum(speeds)
    images = [view(float(x), blur_px=9 if s > 9 else 0) for x, s in zip(offsets, speeds, strict=True)]
    options = KeyframesOptions(max_frames=30)
    chosen = positions(keyframes_of(video_work(tmp_path, write_video(tmp_path / "v.mp4", images), options)))
    truth = [(offsets[b] - offsets[a]) / DIAGONAL for a, b in pairwise(chosen)]
    assert max(truth) <= 0.25
    assert len(chosen) <= 30


def test_gaps_in_time_are_bounded_at_variable_frame_rate(tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.3, 60))
    images = [view(200 + 0.4 * n) for n in range(60)]
    path = write_video(tmp_path / "v.mp4", images, times_s=list(times - times[0]))
    keyframes = keyframes_of(video_work(tmp_path, path, KeyframesOptions(max_gap_s=1.0)))
    stamps = [frame.timestamp_s for frame in keyframes.frames if frame.timestamp_s is not None]
    assert len(stamps) == len(keyframes.frames)
    assert max(b - a for a, b in pairwise(stamps)) <= 1.0
    assert set(np.round(stamps, 3)) <= set(np.round(times - times[0], 3))


def test_size_follows_the_option_and_is_never_enlarged(tmp_path):
    path = write_video(tmp_path / "v.mp4", [view(200 + 9 * n) for n in range(8)])
    small = keyframes_of(video_work(tmp_path / "a", path, KeyframesOptions(max_side_px=160)))
    large = keyframes_of(video_work(tmp_path / "b", path, KeyframesOptions(max_side_px=4000)))
    assert {frame.size_wh for frame in small.frames} == {(160, 120)}
    assert {frame.source_size_wh for frame in small.frames} == {(320, 240)}
    assert {frame.size_wh for frame in large.frames} == {(320, 240)}


def test_the_same_video_gives_the_same_bytes(tmp_path):
    path = write_video(tmp_path / "v.mp4", [view(200 + 5 * n) for n in range(40)])
    outputs = []
    for name in ("a", "b"):
        work = video_work(tmp_path / name, path)
        choose_keyframes(work)
        files = sorted(p for p in work.output.rglob("*") if p.is_file() and p.suffix != ".jsonl")
        outputs.append([(p.name, p.read_bytes()) for p in files])
    assert outputs[0] == outputs[1]


def test_an_all_black_video_is_refused(tmp_path):
    work = video_work(tmp_path, write_video(tmp_path / "night.mp4", [BLACK] * 10))
    with pytest.raises(InputError, match=r"night\.mp4 .*black"):
        choose_keyframes(work)


def test_nearly_every_frame_of_a_sparse_real_video(tmp_path, shared_data):
    work = video_work(tmp_path, shared_data / "fox" / "fox.mp4", MODES["quality"].keyframes)
    keyframes = keyframes_of(work)
    assert len(keyframes.frames) >= 48
    assert {frame.size_wh for frame in keyframes.frames} == {(1080, 1920)}
    assert {frame.camera for frame in keyframes.frames} == {0}


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        # (width, height, frames)
        ([(192, 320, 10), (120, 200, 10)], (192, 320)),
        ([(120, 200, 5), (192, 320, 15)], (192, 320)),
        ([(200, 120, 12), (120, 200, 8)], (200, 120)),
        ([(120, 200, 5), (200, 120, 10), (120, 200, 8)], (120, 200)),
    ],
)
def test_of_a_video_that_changes_its_size_most_frames_are_used(tmp_path, sizes, kept):
    number, parts = 0, []
    for width, height, count in sizes:
        shown = range(number, number + count)
        parts.append([texture()[:height, 6 * n : 6 * n + width] for n in shown])
        number += count
    work = video_work(tmp_path, write_changing(tmp_path / "v.webm", parts))
    report = choose_keyframes(work)
    keyframes = read_json(work.output / "keyframes.json", Keyframes)
    frames_of_kept = sum(count for width, height, count in sizes if (width, height) == kept)
    assert report.dropped == {"another size": number - frames_of_kept}
    assert {frame.size_wh for frame in keyframes.frames} == {kept}
    assert {frame.source_size_wh for frame in keyframes.frames} == {kept}
    assert len(keyframes.frames) > frames_of_kept / 3
