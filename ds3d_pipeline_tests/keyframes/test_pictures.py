import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.formats.images import map_in_threads, shrunk, write_jpeg
from ds3d_pipeline.keyframes.contact_sheet import MAX_BYTES, write_contact_sheet
from ds3d_pipeline.keyframes.sharpness_plot import PlotPoint, ticks, write_sharpness_plot
from ds3d_pipeline.scene import Keyframe


@pytest.fixture
def noisy_frames(tmp_path):
    """Pictures that compress as badly as any."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(60):
        name = f"{number + 1:06d}.jpg"
        write_jpeg(tmp_path / name, rng.integers(0, 255, (120, 160, 3), np.uint8))
        frames.append(
            Keyframe(
                image=name, source="v", timestamp_s=number / 3, sharpness=1, size_wh=(160, 120), camera=0
            )
        )
    return frames


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_contact_sheet_stays_small(tmp_path, noisy_frames, count):
    write_contact_sheet(tmp_path / "sheet.jpg", tmp_path, noisy_frames[:count])
    assert (tmp_path / "sheet.jpg").stat().st_size <= MAX_BYTES
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert np.asarray(sheet).std() > 10


def test_plot_shows_chosen_and_dropped_and_stays_small(tmp_path):
    rng = np.random.default_rng(0)
    points = [
        PlotPoint(x=n / 30, sharpness=float(v), chosen=n % 20 == 0, dropped=n % 50 == 1)
        for n, v in enumerate(rng.uniform(0, 0.2, 5000))
    ]
    write_sharpness_plot(tmp_path / "p.png", points, x_label="seconds")
    assert (tmp_path / "p.png").stat().st_size < 50_000
    with Image.open(tmp_path / "p.png") as plot:
        rgb = np.asarray(plot.convert("RGB")).astype(int)
    plot = rgb[40:256, 64:940]
    assert np.count_nonzero(plot[..., 2] - plot[..., 0] > 120) > 500
    assert np.count_nonzero(plot[..., 0] - plot[..., 2] > 100) > 50


def test_plot_of_one_point(tmp_path):
    write_sharpness_plot(tmp_path / "p.png", [PlotPoint(x=1, sharpness=0.0, chosen=True)], x_label="photo")
    with Image.open(tmp_path / "p.png") as plot:
        assert plot.size == (960, 300)


def test_ticks_are_round_numbers():
    assert ticks(0, 0.19, 4) == pytest.approx([0, 0.05, 0.1, 0.15])
    assert ticks(3, 41, 8) == pytest.approx([5, 10, 15, 20, 25, 30, 35, 40])


def test_shrinking_never_enlarges():
    image = np.zeros((30, 40, 3), np.uint8)
    assert shrunk(image, 100) is image
    assert shrunk(image, 20).shape == (15, 20, 3)


def test_map_in_threads_keeps_the_order_and_raises():
    assert list(map_in_threads(lambda x: x * x, range(50))) == [x * x for x in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda x: 1 // x, [1, 0]))
