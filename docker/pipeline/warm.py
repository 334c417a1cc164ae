"""Reconstructs a tiny capture: it compiles every kernel before the image is used, and proves the image."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions

EVERYTHING_BUT_SMALL = {
    "depth_maps": {"max_side_px": 160},
    "mesh": {"texture_px": 256},
    "splat": {"train": True, "iterations": 20, "max_gaussians": 2000},
}


def warm(folder: Path) -> None:
    """Runs the command line in a home of its own; raises CalledProcessError where it fails."""
    options = SyntheticOptions(
        frames=8,
        path=PathOptions(arc_deg=35.0),
        camera=CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0),
    )
    photos = folder / make_capture(folder, options).input
    config = folder / "config.json"
    config.write_text(json.dumps(EVERYTHING_BUT_SMALL))
    command = ["ds3d", "reconstruct", str(photos), "--mode", "fastest", "--config", str(config), "--json"]
    command += ["--name", "warm", "--output", str(folder / "outputs")]
    subprocess.run(command, check=True, env=os.environ | {"DAGSTER_HOME": str(folder / "home")})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        warm(Path(name))
