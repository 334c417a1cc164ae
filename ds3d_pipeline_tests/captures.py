"""Small synthetic captures, and the command line run on them as a user does."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from ds3d_pipeline.cli.main import main
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions

DS3D = (sys.executable, "-c", "from ds3d_pipeline.cli.main import main; raise SystemExit(main())")


def make_photos(folder: Path, frames: int = 8) -> Path:
    """A folder of small photos that every mode reconstructs within seconds."""
    options = SyntheticOptions(
        frames=frames,
        path=PathOptions(arc_deg=35.0),
        camera=CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0),
    )
    return folder / make_capture(folder, options).input


def environment(home: Path) -> dict[str, str]:
    """The environment of a child that works in this home."""
    return os.environ | {"DAGSTER_HOME": str(home), "NUMBA_NUM_THREADS": "2"}


def run_ds3d(home: Path, *words: object, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """Runs `ds3d` to its end."""
    command = [*DS3D, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(home), timeout=timeout, check=False
    )


def call_ds3d(home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """`run_ds3d` in this process: as much is tested, without the seconds that a process takes to start."""
    out, err = io.StringIO(), io.StringIO()
    variables = mock.patch.dict(os.environ, {"DAGSTER_HOME": str(home)})
    with variables, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def start_ds3d(home: Path, *words: object) -> subprocess.Popen[str]:
    """Starts `ds3d` in a session of its own, as a terminal does."""
    return subprocess.Popen(
        [*DS3D, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home),
        start_new_session=True,
    )
