"""What a finished job gives: its files by name, and all of them as one zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote

from ds3d_pipeline.storage.delete import find_holdings
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.ownership import FAILED
from ds3d_pipeline.web.published import METRICS, Published, find_failure, find_published
from ds3d_pipeline.web.status import JobStatus

REPORT, VIEW = "report.html", "view.html"
TYPES = {
    ".bin": "application/octet-stream",
    ".glb": "model/gltf-binary",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".ply": "application/octet-stream",
    ".png": "image/png",
    ".spz": "application/octet-stream",
    ".txt": "text/plain; charset=utf-8",
}
SHOWN = (".html", ".jpg", ".json", ".png", ".txt")
"""Opened in the browser; everything else is downloaded."""
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """One file of a finished capture."""

    bytes: int
    sha256: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Where the page finds what it draws; None where there is none."""

    mesh: str | None
    splat: str | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came out of a job."""

    job_id: str
    mode: str
    state: str
    status: str | None
    """ok, degraded or failed; None of one that was cancelled."""
    reasons: tuple[str, ...]
    files: dict[str, ResultFile]
    """By name; of the latest finished run, also where a later one failed."""
    report_url: str | None
    """Of a run that failed: the page that says why."""
    view_url: str | None
    metrics_url: str | None
    zip_url: str | None
    preview: Preview
    stored_bytes: int
    """So much does deleting the capture free."""


def find_result(home: Home, status: JobStatus) -> Result:
    """What came out of a job that has ended."""
    job = status.job_id
    published, failure = find_published(home, job), find_failure(home, job)
    files = _files(job, published) if published else {}
    is_failure = status.state == "failed" and failure is not None
    return Result(
        job_id=job,
        mode=status.mode,
        state=status.state,
        status=status.status,
        reasons=status.reasons,
        files=files,
        report_url=_failed_report(job, failure) if is_failure else _url_of(files, REPORT),
        view_url=_url_of(files, VIEW),
        metrics_url=output_url(job, METRICS) if published else None,
        zip_url=f"/outputs/{quote(job)}.zip" if files else None,
        preview=Preview(
            mesh=_url_of(files, "model.glb"),
            splat=f"/api/preview/{quote(job)}.spz" if "model.splat.ply" in files else None,
        ),
        stored_bytes=find_holdings(home, job).bytes,
    )


def _files(job: str, published: Published) -> dict[str, ResultFile]:
    return {
        name: ResultFile(bytes=facts["bytes"], sha256=facts["sha256"], url=output_url(job, name))
        for name, facts in published.metrics["files"].items()
    }


def _url_of(files: dict[str, ResultFile], name: str) -> str | None:
    return files[name].url if name in files else None


def _failed_report(job: str, failure: Published | None) -> str | None:
    if failure is None or failure.file(REPORT) is None:
        return None
    inside = f"{FAILED}/" if failure.folder.name == FAILED else ""
    return output_url(job, inside + REPORT)


def output_url(job: str, name: str) -> str:
    """Where a file of a job is."""
    return f"/outputs/{quote(job)}/{quote(name)}"


def find_output(home: Home, job: str, name: str) -> Path | None:
    """The file of this name: one that the metrics of a finished or failed run list, and no other."""
    inside = name.removeprefix(f"{FAILED}/")
    published = find_failure(home, job) if inside != name else find_published(home, job)
    return published.file(inside) if published else None


def media_type(name: str) -> str:
    """From our own table, so that nothing is guessed from content."""
    return TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def zip_members(published: Published) -> Iterator[tuple[str, Path]]:
    """Name and path of all that goes into the zip; what is gone meanwhile is left out."""
    for name in (*published.metrics["files"], METRICS):
        path = published.file(name)
        if path is not None:
            yield name, path


class _Pipe:
    """What a zip is written into: bytes that are taken out again before more come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """As a file's; without `tell` and `seek` a zip is written in one go."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def take(self) -> bytes:
        """All that was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def zip_stream(folder: str, published: Published) -> Iterator[bytes]:
    """A zip of all files below `folder`, stored and not compressed, piece by piece and never as a whole."""
    pipe = _Pipe()
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w", zipfile.ZIP_STORED) as archive:
        for name, path in zip_members(published):
            info = zipfile.ZipInfo.from_file(path, f"{folder}/{name}", strict_timestamps=False)
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield pipe.take()
    yield pipe.take()
