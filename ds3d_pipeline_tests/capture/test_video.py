import re

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.capture.truncation import breaks_off
from ds3d_pipeline.capture.video import frames_at, iter_frames, missing_part, probe_video
from ds3d_pipeline.errors import InputError
from ds3d_pipeline_tests.capture.samples import (
    CORNERS,
    TICKS_PER_S,
    corner_image,
    corners_of,
    gray_images,
    noise_images,
    write_ten_bit,
    write_video,
)

MEDIA = [("mp4", "libx264"), ("mov", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]


@pytest.mark.parametrize(("suffix", "codec"), MEDIA)
def test_every_container_gives_all_frames_in_order(tmp_path, suffix, codec):
    levels = [20, 60, 100, 140, 180, 220]
    path = write_video(tmp_path / f"v.{suffix}", gray_images(levels), codec=codec)
    frames = list(iter_frames(path))
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.rgb.mean() for frame in frames] == pytest.approx(levels, abs=3)
    assert probe_video(path)[1] == (96, 64)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90])
def test_rotation_metadata_is_applied(tmp_path, rotation, suffix):
    coded = np.rot90(corner_image(), -rotation // 90)
    path = write_video(tmp_path / f"v.{suffix}", [coded] * 2, rotation_deg=rotation)
    info, size_wh = probe_video(path)
    assert info.rotation_deg == -rotation % 360
    assert size_wh == (96, 64)
    for frame in iter_frames(path):
        assert frame.rgb.shape == (64, 96, 3)
        assert corners_of(frame.rgb) == pytest.approx(CORNERS.astype(int), abs=12)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_mirroring_is_applied_as_ffmpeg_does(tmp_path, rotation):
    path = write_video(tmp_path / "v.mp4", [corner_image()], rotation_deg=rotation, mirrored=True)
    rgb = next(iter_frames(path)).rgb
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        a, b, _, c, d = np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), np.int32)[:5] / 65536
    assert a * d - b * c == pytest.approx(-1)
    coded = corners_of(corner_image())
    expected = np.zeros_like(coded)
    for y in (0, 1):
        for x in (0, 1):
            to_x, to_y = a * (2 * x - 1) + c * (2 * y - 1), b * (2 * x - 1) + d * (2 * y - 1)
            expected[int(to_y > 0), int(to_x > 0)] = coded[y, x]
    assert corners_of(rgb) == pytest.approx(expected, abs=12)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_true_times(tmp_path, suffix):
    ticks = [9000, 10500, 16500, 18000, 49500, 52650]
    path = write_video(tmp_path / f"v.{suffix}", gray_images(range(20, 140, 20)), ticks=ticks)
    truth = [(tick - ticks[0]) / TICKS_PER_S for tick in ticks]
    frames = list(iter_frames(path))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(truth, abs=1e-3)
    assert [frame.rgb.mean() for frame in frames] == pytest.approx(list(range(20, 140, 20)), abs=3)


def test_avi_with_reordered_frames_has_increasing_times(tmp_path):
    options = {"bf": "2"}
    path = write_video(tmp_path / "v.avi", gray_images(range(0, 240, 20)), codec="mpeg4", options=options)
    times = [frame.timestamp_s for frame in iter_frames(path)]
    assert len(times) >= 11
    assert np.all(np.diff(times) > 0)
    assert times[-1] == pytest.approx((len(times) - 1) / 30, abs=0.04)


@pytest.mark.parametrize("rotation", [0, 90])
def test_frames_are_scaled_to_the_longer_side_and_never_enlarged(tmp_path, rotation):
    path = write_video(tmp_path / "v.mp4", [corner_image(192, 96)], rotation_deg=rotation)
    expected = (32, 64, 3) if rotation == 0 else (64, 32, 3)
    assert next(iter_frames(path, max_side_px=64)).rgb.shape == expected
    assert max(next(iter_frames(path, max_side_px=4000)).rgb.shape) == 192


def test_scaled_frames_look_like_the_full_ones(tmp_path):
    path = write_video(tmp_path / "v.mp4", [corner_image(192, 128)])
    small = next(iter_frames(path, max_side_px=48)).rgb
    assert corners_of(small) == pytest.approx(CORNERS.astype(int), abs=12)


def test_anamorphic_video_gets_square_pixels(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        frame = av.VideoFrame.from_ndarray(corner_image(), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert probe_video(path)[1] == (192, 64)
    assert next(iter_frames(path)).rgb.shape == (64, 192, 3)


def test_frames_at_gives_the_same_pixels_as_iteration(tmp_path):
    path = write_video(tmp_path / "v.mp4", noise_images(12))
    every = list(iter_frames(path))
    chosen = list(frames_at(path, [0, 4, 11]))
    assert [frame.index for frame in chosen] == [0, 4, 11]
    for frame in chosen:
        assert frame.timestamp_s == every[frame.index].timestamp_s
        assert np.array_equal(frame.rgb, every[frame.index].rgb)
    assert list(frames_at(path, [])) == []


@pytest.mark.parametrize("indices", [[3, 2], [1, 1], [-1, 2]])
def test_frames_at_refuses_indices_that_do_not_ascend(tmp_path, indices):
    path = write_video(tmp_path / "v.mp4", gray_images([1, 2, 3, 4]))
    with pytest.raises(ValueError, match=r"ascend"):
        list(frames_at(path, indices))


def test_frames_at_refuses_an_index_beyond_the_end(tmp_path):
    path = write_video(tmp_path / "v.mp4", gray_images([1, 2, 3, 4]))
    with pytest.raises(ValueError, match=r"no frame 9"):
        list(frames_at(path, [0, 9]))


def test_ten_bit_sdr_is_converted(tmp_path):
    path = write_ten_bit(tmp_path / "v.mp4", [(64, 512, 512), (502, 512, 512), (940, 512, 512)])
    assert not probe_video(path)[0].is_hdr
    means = [frame.rgb.mean() for frame in iter_frames(path)]
    # libswscale drops the two low bits before its table, which costs up to 1 % of the range.
    assert means == pytest.approx([0, 127.5, 255], abs=2.55)


@pytest.mark.parametrize(("transfer", "white_code"), [(16, 573), (18, 721)])
def test_hdr_white_and_black_land_where_sdr_has_them(tmp_path, transfer, white_code):
    """Diffuse white, 203 nits, is 58 % PQ and 75 % HLG (ITU-R BT.2408)."""
    grays = [(64, 512, 512), (white_code, 512, 512), (940, 512, 512)]
    path = write_ten_bit(tmp_path / "v.mp4", grays, transfer=transfer, matrix=9)
    assert probe_video(path)[0].is_hdr
    black, white, peak = (frame.rgb.reshape(-1, 3).mean(axis=0) for frame in iter_frames(path))
    assert black == pytest.approx([0, 0, 0], abs=1)
    assert white == pytest.approx([215, 215, 215], abs=3)
    assert peak == pytest.approx([255, 255, 255], abs=1)


def test_hdr_bt709_red_stays_pure(tmp_path):
    """BT.709 red at 100 nits, written in BT.2020 PQ by the formulas of BT.2100."""
    linear_2020 = np.array([0.6274, 0.0691, 0.0164]) * 100 / 10000
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = linear_2020**m1
    r, g, b = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    y = 0.2627 * r + 0.6780 * g + 0.0593 * b
    code = (round(64 + 876 * y), round(512 + 896 * (b - y) / 1.8814), round(512 + 896 * (r - y) / 1.4746))
    path = write_ten_bit(tmp_path / "v.mp4", [code], transfer=16, matrix=9)
    red, green, blue = next(iter_frames(path, max_side_px=48)).rgb.reshape(-1, 3).mean(axis=0)
    assert red > 160
    assert max(green, blue) < 30


def overwrite_packets(path, numbers):
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers if numbers is not None else range(len(places)):
        start, size = places[number]
        data[start : start + size] = b"\xff" * size
    path.write_bytes(data)


def test_corrupt_packets_in_the_middle_are_left_out_and_counted(tmp_path):
    path = write_video(tmp_path / "v.mp4", noise_images(40), options={"g": "5", "bf": "0"})
    overwrite_packets(path, [12, 13, 14])
    calls = []
    frames = list(iter_frames(path, on_corrupt=lambda: calls.append(1)))
    assert len(calls) >= 3
    assert 30 <= len(frames) <= 37
    assert np.all(np.diff([frame.timestamp_s for frame in frames]) > 0)


def test_a_damaged_video_gives_frames_at_the_same_times_every_time(tmp_path):
    path = write_video(tmp_path / "v.mp4", noise_images(60), options={"g": "12"})
    overwrite_packets(path, [9, 16, 30, 31, 44])
    first = list(iter_frames(path))
    for _ in range(5):
        again = list(iter_frames(path))
        assert [frame.timestamp_s for frame in again] == [frame.timestamp_s for frame in first]
    for frame in frames_at(path, [5, 20, first[-1].index]):
        assert frame.timestamp_s == first[frame.index].timestamp_s


def test_a_video_cut_in_its_tail_gives_the_frames_before_the_cut(tmp_path):
    path = write_video(tmp_path / "v.mkv", noise_images(30), options={"g": "5"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert 8 <= len(list(iter_frames(path))) <= 20


def no_moov(path):
    data = write_video(path, noise_images(10)).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def playlist(path):
    other = write_video(path.with_name("other.mp4"), gray_images([5, 6]))
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")


def no_frames(path):
    write_video(path, noise_images(10), options={"bf": "0"})
    overwrite_packets(path, None)


def audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("hello\n" * 500),
        no_moov,
        playlist,
        no_frames,
        audio_only,
    ],
)
def test_unusable_videos_are_refused_by_name(tmp_path, make):
    path = tmp_path / "my clip.mp4"
    make(path)
    with pytest.raises(InputError, match=r"my clip\.mp4") as probed:
        probe_video(path)
    with pytest.raises(InputError, match=r"my clip\.mp4"):
        list(iter_frames(path))
    assert "\n" not in probed.value.cause
    assert probed.value.remedy


@pytest.mark.parametrize(
    "name", ["a b.mp4", "-dash.mp4", "日本 🎥.mp4", 'it\'s "q".mp4', "100%d.mp4", "a:b.mp4"]
)
def test_odd_names_open(tmp_path, name, monkeypatch):
    write_video(tmp_path / name, gray_images([50, 90]))
    monkeypatch.chdir(tmp_path)
    assert len(list(iter_frames(type(tmp_path)(name)))) == 2


def test_real_video(shared_data):
    path = shared_data / "fox" / "fox.mp4"
    info, size_wh = probe_video(path)
    assert size_wh == (1080, 1920)
    frames = list(iter_frames(path, max_side_px=320))
    assert len(frames) == info.frames == 50
    assert frames[-1].timestamp_s == pytest.approx(9.8)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.fault("half a video")
def test_half_a_video_says_how_much_can_be_read(tmp_path, name):
    images = [np.random.default_rng(n).integers(0, 255, (64, 96, 3), np.uint8) for n in range(60)]
    path = write_video(tmp_path / name, images, index_first=name == "a.mp4")
    assert missing_part(path) == ""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    pattern = rf"{name} is cut off: (.*) of (.*) s can be read\."
    readable, total = re.fullmatch(pattern, missing_part(path)).groups()
    assert total == "2.0"
    assert 0.5 <= float(readable) <= 1.2


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_something_behind_a_whole_video_is_no_gap(tmp_path, name):
    path = write_video(tmp_path / name, gray_images(range(0, 200, 10)), codec="libx264")
    path.write_bytes(path.read_bytes() + b"trailer of some camera")
    assert missing_part(path) == ""


@pytest.mark.parametrize("head", [b"", b"\x1aE\xdf\xa3", b"\0\0\0\x18ftypisom", b"RIFF\xff\0\0\0", bytes(99)])
def test_what_begins_as_a_video_may_be_the_beginning_of_one(tmp_path, head):
    (tmp_path / "a").write_bytes(head)
    assert breaks_off(tmp_path / "a")


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.mp4"
    path.write_bytes(data)
    assert breaks_off(path) in (True, False)
