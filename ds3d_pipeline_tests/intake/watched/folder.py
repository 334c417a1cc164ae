"""A watched folder with small captures, and looks at it with a clock of the test's own."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from ds3d_pipeline_tests.capture.samples import write_video

QUIET_S = 10.0
EMOJI = "\N{TEDDY BEAR} bär.mp4"


def picture(seed: int) -> np.ndarray:
    """(64, 96, 3) of noise."""
    return np.random.default_rng(seed).integers(0, 255, (64, 96, 3), np.uint8)


def put_video(path: Path, seed: int = 0) -> Path:
    """A video of three frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, [picture(100 * seed + number) for number in range(3)])


def put_photos(folder: Path, count: int = 3, seed: int = 0) -> Path:
    """A folder of photos."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        put_photo(folder / f"IMG_{number}.png", 1000 * seed + number)
    return folder


def put_photo(path: Path, seed: int = 0) -> None:
    """One photo."""
    Image.fromarray(picture(seed)).save(path)


def zip_of(folder: Path, path: Path) -> Path:
    """The photos of `folder` as a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def copy_half(source: Path, target: Path) -> None:
    """The first half of a file, as a copy under way leaves it."""
    data = source.read_bytes()
    target.write_bytes(data[: len(data) // 2])


def move_out(path: Path) -> None:
    """Removes an upload."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
