"""What the captures of this home are doing, and what can be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ds3d_pipeline.names import MODES, STAGES
from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.outputs import Result, find_result
from ds3d_pipeline.web.problems import Problem, responses
from ds3d_pipeline.web.status import JobStatus

router = APIRouter()
MOST_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One page of the list."""

    jobs: list[JobStatus]
    next: str | None
    """What `before` is for the page after this one; None where this is the last."""


class Again(BaseModel):
    """What is different from the last run; what is left out stays as it was."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mode: Annotated[str | None, Field(json_schema_extra={"enum": [*MODES, None]})] = None
    start: Annotated[str | None, Field(alias="from", json_schema_extra={"enum": [*STAGES, None]})] = None
    """The stage from which on everything is made anew."""


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """What became of a job that was asked to stop."""

    job_id: str
    state: str
    """`cancelling` as long as one of its programs still runs."""


@router.get("/api/jobs", responses=responses(422))
def listing(
    web: Web,
    before: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
) -> Listing:
    """Every capture of this home, whichever way it came, by the time of its latest run, newest first."""
    found = web.jobs.listing(_cursor(before) if before else None, limit + 1)
    shown = found[:limit]
    more = f"{shown[-1].created_at!r}~{shown[-1].job_id}" if len(found) > limit else None
    return Listing(jobs=shown, next=more)


def _cursor(text: str) -> tuple[float, str]:
    at, _, job = text.partition("~")
    try:
        return float(at), job
    except ValueError as error:
        raise Problem(422, "`before` is no place in the list.", "Use `next` of the page before.") from error


@router.get("/api/status/{job}", responses=responses(404))
def status(web: Web, job: str) -> JobStatus:
    """What one capture is doing."""
    return web.jobs.status(job)


UNFINISHED: dict[int | str, dict[str, Any]] = {
    409: {"model": JobStatus, "description": "It is not finished: this is what it is doing."}
}


@router.get("/api/result/{job}", response_model=Result, responses=responses(404) | UNFINISHED)
def result(web: Web, job: str) -> Result | Response:
    """What came out of a capture whose run has ended."""
    found = web.jobs.status(job)
    return find_result(web.home, found) if found.has_ended else JSONResponse(found.to_json(), 409)


@router.post("/api/jobs/{job}/again", status_code=202, responses=responses(400, 404, 409, 422))
def again(web: Web, job: str, changes: Again | None = None) -> JobStatus:
    """Runs a capture once more: in another mode, from a stage on, or as before. What is fresh is reused."""
    wanted = changes or Again()
    _check("mode", wanted.mode, MODES)
    _check("stage", wanted.start, STAGES)
    return web.jobs.again(job, wanted.mode, wanted.start)


def _check(what: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise Problem(422, f"There is no {what} {given[:80]!r}.", f"Use one of {', '.join(known)}.")


@router.post("/api/jobs/{job}/cancel", status_code=202, responses=responses(404, 409))
def cancel(web: Web, job: str) -> Cancelled:
    """Stops a capture, or takes it from the queue."""
    return Cancelled(job_id=job, state=web.jobs.cancel(job))


@router.delete("/api/jobs/{job}", status_code=204, responses=responses(404, 409))
def delete(web: Web, job: str) -> None:
    """Removes a capture whole, as `ds3d delete` does, with what was sent for it. Files of yours in its
    folder stay."""
    web.jobs.delete(job)
