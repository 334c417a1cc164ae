"""What a stage will work on, read from the headers of the files in its input folder."""

from __future__ import annotations

from pathlib import Path

from ds3d_pipeline.memory import Load


def read_load(input_dir: Path) -> Load:
    """Images, their size and the points of an input folder; what is not there counts as 0."""
    if (input_dir / "capture.json").exists():
        return _of_capture(input_dir / "capture.json")
    images = sorted(path for path in (input_dir / "images").glob("*") if path.is_file())
    return Load(
        images=len(images),
        size_wh=_largest(images),
        points=_points(input_dir / "pointcloud.ply"),
    )


def _of_capture(path: Path) -> Load:
    from ds3d_pipeline.records import read_json
    from ds3d_pipeline.scene import Capture

    capture = read_json(path, Capture)
    largest = max((source.size_wh for source in capture.sources), key=lambda wh: wh[0] * wh[1])
    return Load(images=len(capture.sources), size_wh=largest, is_video=capture.kind == "video")


def _largest(images: list[Path]) -> tuple[int, int]:
    from PIL import Image

    largest = (0, 0)
    for path in images:
        with Image.open(path) as image:
            largest = max(largest, image.size, key=lambda wh: wh[0] * wh[1])
    return largest


def _points(path: Path) -> int:
    """The vertices that a PLY's header tells."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"element vertex"):
                return int(line.split()[2])
            if line.startswith(b"end_header"):
                break
    return 0
