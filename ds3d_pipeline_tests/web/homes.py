"""A home with its Dagster instance, runs and orders, as the server finds them."""

import json
import time
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from ds3d_pipeline.defs.runs import PARTITION_TAG
from ds3d_pipeline.intake.orders import Order, place_order
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import Content, ContentFile, register_upload
from ds3d_pipeline_tests.finished import publish_finished
from ds3d_pipeline_tests.homes import put_bundle

PHOTOS = 14
_ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("code"), "repository"), "job")


def register(home: Home, capture: str, paths: tuple[Path, ...] = ()) -> None:
    """A capture of some photos."""
    files = tuple(
        ContentFile(name=f"{number}.jpg", bytes=9, mtime_ns=1, sha256="0" * 64) for number in range(PHOTOS)
    )
    content = Content(kind="photos", files=files, sha256=capture.ljust(64, "0"), bounds={})
    register_upload(home, capture, paths, content)


def add_run(
    instance: dg.DagsterInstance,
    run_id: str,
    status: dg.DagsterRunStatus,
    capture: str = "fox",
    **tags: str,
) -> None:
    """A run in mode `fastest`; the slash in the names of `tags` is written as two underscores."""
    found = {name.replace("__", "/"): value for name, value in tags.items()}
    found = {PARTITION_TAG: capture, "ds3d/mode": "fastest"} | found
    run = dg.DagsterRun(job_name="job", run_id=run_id, status=status, tags=found, remote_job_origin=_ORIGIN)
    instance.add_run(run)


def order(home: Home, run_key: str, capture: str = "fox", mode: str = "fastest", age_s: float = 0.0) -> None:
    """An order that waits since `age_s` seconds."""
    request = RunRequest(
        capture=capture, mode=mode, output=home.root / "outputs", source="page", upload="My fox"
    )
    place_order(home, Order(run_key=run_key, request=request, asked_at=time.time() - age_s))


def finish(home: Home, capture: str = "fox") -> Path:
    """Publishes a finished capture into the home's own outputs, and stores its metrics."""
    folder = publish_finished(home.root / "made", capture)
    (home.root / "outputs").mkdir(exist_ok=True)
    place = folder.rename(home.root / "outputs" / capture)
    put_bundle(home, "metrics", capture, json.dumps(json.loads((place / "metrics.json").read_text())))
    return place
