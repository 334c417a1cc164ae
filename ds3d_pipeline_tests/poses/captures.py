"""Captures through the stages capture, keyframes and poses, without Dagster."""

from pathlib import Path

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.stage import stage_capture
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.stage import choose_keyframes
from ds3d_pipeline.poses.colmap.pycolmap_stage import map_with_pycolmap
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.storage.registrations import Request
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SceneOptions, SyntheticOptions


def make_photos(folder: Path, *, scene=None, path=None, frames=8, **camera) -> list[Path]:
    """Small synthetic photos, in order."""
    options = SyntheticOptions(
        scene=scene or SceneOptions(),
        path=path or PathOptions(arc_deg=40),
        camera=CameraOptions(**{"size_wh": (320, 240), "focal_px": 280.0, **camera}),
        frames=frames,
    )
    return sorted(make_capture(folder, options).input.iterdir())


def work_on(source: Path, output: Path, options):
    output.mkdir(parents=True)
    return Work(input=source, output=output, backend="", options=options, progress=Progress(None))


def make_keyframes(folder: Path, inputs: list[Path], max_side_px: int = 1024) -> Path:
    """The poses stage's INPUT folder for the user's files."""
    (folder / "request").mkdir(parents=True)
    write_json(folder / "request" / "request.json", Request(inputs=tuple(map(str, inputs))))
    stage_capture(work_on(folder / "request", folder / "capture", CaptureOptions()))
    options = KeyframesOptions(max_side_px=max_side_px)
    choose_keyframes(work_on(folder / "capture", folder / "keyframes", options))
    return folder / "keyframes"


def map_photos(folder: Path, inputs: list[Path], body=map_with_pycolmap, **options):
    """The result of a rung of the poses stage, written to `folder`/poses; few features, to take seconds."""
    keyframes = make_keyframes(folder, inputs)
    return body(work_on(keyframes, folder / "poses", PosesOptions(**{"max_features": 1500, **options})))
