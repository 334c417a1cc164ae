"""ds3d from Python: `reconstruct` makes a capture from files, and `open_capture` reads a finished one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.execution.progress import Reader, RunState, StageState
from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.intake.accept import accept_request
from ds3d_pipeline.intake.request import RunRequest, checked_prefer, chosen_output
from ds3d_pipeline.intake.settings import checked_mode, checked_tables
from ds3d_pipeline.metrics.record import Metrics, Status, load_metrics
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.programs.options import table_of
from ds3d_pipeline.programs.settings import check_settings
from ds3d_pipeline.scene import Gaussians, Mesh, PointCloud, Reconstruction, View

T = TypeVar("T")
PROGRESS_EVERY_S = 0.5
Files = str | Path | Sequence[str | Path]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is."""

    capture: str
    stages: tuple[StageState, ...]
    """In the order in which they run."""
    waits_for: str = ""
    """The capture whose run has to end before this one begins."""

    @property
    def running(self) -> tuple[StageState, ...]:
        """The stages that work right now."""
        return tuple(stage for stage in self.stages if stage.state == "running")


@dataclass(frozen=True, kw_only=True)
class Capture:
    """A capture's finished folder. Its files are read when they are first asked for, and kept.

    Lengths are in the unit of `metrics.scale`. All positions are in one world frame, +y down, as in COLMAP.
    A result that the capture does not have raises InputError, a damaged file StageError.
    """

    folder: Path
    metrics: Metrics

    @property
    def name(self) -> str:
        """What the capture is called."""
        return self.metrics.capture

    @property
    def status(self) -> Status:
        """`ok`, `degraded` or `failed`."""
        return self.metrics.status

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the status is not ok, what matters most first."""
        return self.metrics.reasons

    @property
    def files(self) -> dict[str, Path]:
        """The paths of all files, by their names in the folder, such as `model.glb`."""
        return {name: self.folder / name for name in (*self.metrics.files, "metrics.json")}

    @cached_property
    def mesh(self) -> Mesh:
        """Vertices, faces, and vertex colours or texture with its coordinates."""
        return self._read("model.glb", lambda path: read_glb(path)[0])

    @cached_property
    def splat(self) -> Gaussians:
        """The 3D Gaussians."""
        return self._read("model.splat.ply", read_splat_ply)

    @cached_property
    def points(self) -> PointCloud:
        """The dense points with colours and normals."""
        return self._read("pointcloud.ply", read_pointcloud)

    @cached_property
    def sparse(self) -> Reconstruction:
        """The registered cameras and the sparse points that they were found with."""
        model = model_folder(self.folder) or self.folder / "sparse" / "0"
        name = (model / "cameras.bin").relative_to(self.folder).as_posix()
        return self._read(name, lambda path: read_reconstruction(path.parent))

    @property
    def cameras(self) -> tuple[View, ...]:
        """Image name, K and cam_from_world of every registered keyframe; the images are in `images/`."""
        return self.sparse.views

    def _read(self, name: str, read: Callable[[Path], T]) -> T:
        path = self.folder / name
        if not path.is_file():
            why = self.reasons[0] if self.reasons else f"See {self.folder / 'report.html'}."
            raise InputError(f"The capture {self.name} has no {name}.", why)
        return read(path)


class ReconstructionFailed(StageError):
    """A run ended without a 3D result; `capture` has what was finished, and all reasons."""

    def __init__(self, capture: Capture) -> None:
        report = capture.folder / "report.html"
        super().__init__(capture.reasons[0], f"More is in {report}.")
        self.capture = capture


def open_capture(path: str | Path) -> Capture:
    """The capture in a finished folder, such as `outputs/fox-1a2b3c4d`, whatever its status.

    Raises InputError where that folder has no metrics.json, or one that cannot be read.
    """
    folder = Path(path).absolute()
    return Capture(folder=folder, metrics=load_metrics(folder / "metrics.json"))


def reconstruct(
    inputs: Files,
    *,
    mode: str = DEFAULT_MODE,
    options: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    name: str | None = None,
    prefer: Mapping[str, str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Capture:
    """Does what `ds3d reconstruct` does with one video, or photos, folders or zips of photos.

    `options` holds by stage a table as in the config file, or a whole options record; `output` wins over
    one in there, and is `outputs` without both. `prefer` names by stage
    the backend to try first. `on_progress` is called in this thread when something changed, at most twice a
    second; what it raises cancels the run. What is finished already is reused.

    Raises InputError before any work where input or arguments cannot be used, ReconstructionFailed where no
    3D came out, and KeyboardInterrupt where the run is cancelled.
    """
    from ds3d_pipeline.definitions import defs
    from ds3d_pipeline.defs.local_run import reconstruct as run

    check_settings()
    tables = checked_tables({stage: table_of(own) for stage, own in (options or {}).items()}, "options: ")
    request = RunRequest(
        inputs=_paths(inputs),
        mode=checked_mode(mode, "mode: "),
        output=chosen_output(None if output is None else Path(output), tables),
        tables=tables,
        prefer=checked_prefer((prefer or {}).items(), "prefer: "),
        source="python",
    )
    request = accept_request(request, name)
    display = _Follower(request.capture, on_progress or (lambda progress: None))
    outcome = run(request, display, defs.resolve_job_def)
    capture = Capture(folder=outcome.folder, metrics=outcome.metrics)
    if capture.status is Status.FAILED:
        raise ReconstructionFailed(capture)
    return capture


def _paths(inputs: Files) -> tuple[str, ...]:
    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    return tuple(str(path) for path in paths)


class _Follower:
    """A display that hands on what changed."""

    def __init__(self, capture: str, on_progress: Callable[[Progress], None]) -> None:
        self._capture = capture
        self._on_progress = on_progress
        self._read: Reader = RunState
        self._last: Progress | None = None
        self._next = 0.0
        self._waits_for = ""

    def wait_for(self, capture: str, since: float) -> None:
        """Becomes part of the progress."""
        self._waits_for = capture

    @contextlib.contextmanager
    def following(self, read: Reader) -> Generator[None]:
        """Once more at the end, so that the last word is the whole story."""
        self._read, self._waits_for = read, ""
        yield
        self._hand_on()

    def look(self) -> None:
        """Looks twice a second."""
        if time.monotonic() >= self._next:
            self._hand_on()
            self._next = time.monotonic() + PROGRESS_EVERY_S

    def _hand_on(self) -> None:
        stages = self._read().stages
        progress = Progress(capture=self._capture, stages=stages, waits_for=self._waits_for)
        if progress != self._last:
            self._last = progress
            self._on_progress(progress)

    def finish(self, metrics: Metrics, folder: str) -> None:
        """Nothing: the caller gets the capture."""
