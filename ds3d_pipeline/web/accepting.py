"""What was received becomes a capture and an order, by the same desk as every other way in."""

from __future__ import annotations

import dataclasses
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError, StageError, UnreadableError
from ds3d_pipeline.intake.accept import Accepted, Checked, accept_content, check, find_accepted
from ds3d_pipeline.intake.disk_space import check_space
from ds3d_pipeline.intake.orders import Order, place_order
from ds3d_pipeline.intake.request import RunRequest, run_key_of
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home, outputs_folder
from ds3d_pipeline.storage.registrations import Request, registered_as
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.received import protect
from ds3d_pipeline.web.sentences import without_paths
from ds3d_pipeline.web.settings import WebState
from ds3d_pipeline.web.status import JobStatus

NAME_LENGTH = 200
MANY = "photos"
"""What several files without a name are called."""
WITHOUT_RESULT = ("failed", "cancelled")
"""States of a job whose content may be sent again to be run again."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of an upload."""

    job_id: str
    """The capture's name, as everywhere."""
    mode: str
    state: str
    new: bool
    """Whether a run was asked for; not where the same content was sent in this mode before."""
    skipped: tuple[str, ...] = ()
    """Why files are no part of the capture, or what is missing of them, one sentence each."""
    status_url: str
    result_url: str
    socket_url: str


def accept_received(
    web: WebState, folder: Path, files: Sequence[Path], mode: str | None, name: str | None
) -> Receipt:
    """Checks, hashes and registers the `files` of a received `folder`, and leaves the order of their run.

    The folder becomes the capture's own, unless the same content is there. Raises Problem for unusable files,
    an unknown mode, and where the run would not fit on the disk.
    """
    mode, title = _mode(mode), _title(name, files)
    request = RunRequest(mode=mode, output=outputs_folder(web.home), source="page", upload=title)
    try:
        checked = _checked(files, title, request)
        check_space(web.home, request.output, _registration(checked), request.all_options())
    except StageError as error:
        raise _problem(error, web.home, folder) from error
    with locked(web.home.locks / "web_uploads"):
        job = registered_as(web.home, checked.content.sha256) or checked.own_key
        known = web.jobs.status(job) if web.jobs.exists(job) else None
        accepted = _accepted(web, folder, checked, job)
        return _ordered(web, accepted, request, known)


def _mode(given: str | None) -> str:
    mode = given or DEFAULT_MODE
    if mode not in MODES:
        raise Problem(422, f"There is no mode {mode[:80]!r}.", f"Use one of {', '.join(MODES)}.")
    return mode


def _title(name: str | None, files: Sequence[Path]) -> str:
    """What the user calls it."""
    title = " ".join((name or "").split())
    if len(title) > NAME_LENGTH:
        raise Problem(422, "The name is too long.", f"Use at most {NAME_LENGTH} letters.")
    if not files:
        raise Problem(422, "No file was sent.", "Send one video, or photos, in the field `files`.")
    return title or (files[0].stem if len(files) == 1 else MANY)


def _checked(files: Sequence[Path], title: str, request: RunRequest) -> Checked:
    checked = check(files, request.options("capture"))
    return dataclasses.replace(checked, inputs=dataclasses.replace(checked.inputs, title=title))


def _registration(checked: Checked) -> Request:
    return Request(inputs=tuple(str(path) for path in checked.paths), content=checked.content)


def _accepted(web: WebState, folder: Path, checked: Checked, job: str) -> Accepted:
    """The capture that holds this content; where its files are not there any more, it gets the folder."""
    options = CaptureOptions(**checked.content.bounds)
    known = find_accepted(web.home, checked.content.sha256, options)
    if known is not None:
        return known
    place = web.received / job
    if place.exists():
        shutil.rmtree(place)
    protect(folder)
    folder.rename(place)
    paths = tuple(place / path.name for path in checked.paths)
    return accept_content(web.home, dataclasses.replace(checked, paths=paths))


def _ordered(web: WebState, accepted: Accepted, request: RunRequest, known: JobStatus | None) -> Receipt:
    """The order of a run, unless the same is under way or done."""
    job, content = accepted.capture, accepted.content
    state = "accepted"
    is_new = known is None or known.mode != request.mode or known.state in WITHOUT_RESULT
    if is_new:
        key = run_key_of(content.sha256, request.mode, request.tables)
        request = dataclasses.replace(request, capture=job)
        # An earlier run has the key, and Dagster starts no second one of it.
        key = key if known is None else f"{key}-{uuid.uuid4().hex[:8]}"
        place_order(web.home, Order(run_key=key, request=request, asked_at=time.time()))
    elif known:
        state = known.state
    return Receipt(
        job_id=job,
        mode=request.mode,
        state=state,
        new=is_new,
        skipped=(*content.skipped, *content.cut_off),
        status_url=f"/api/status/{job}",
        result_url=f"/api/result/{job}",
        socket_url=f"/ws/{job}",
    )


def _problem(error: StageError, home: Home, folder: Path) -> Problem:
    """Unusable files are the sender's matter; a disk that is full or cannot be read is the server's."""
    is_theirs = isinstance(error, InputError) and not isinstance(error, UnreadableError)
    cause, remedy = (_shown(text, home, folder) for text in (error.cause, error.remedy))
    return Problem(422 if is_theirs else 507, cause, remedy)


def _shown(text: str, home: Home, folder: Path) -> str:
    """The sentence without where things are on the server; files of `folder` keep their names."""
    return without_paths(text.replace(f"{folder}/", ""), home)
