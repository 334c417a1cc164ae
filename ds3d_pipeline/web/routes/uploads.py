"""Uploads that can be resumed, as of tus 1.0 with creation and termination (https://tus.io/protocols).

Not a library: tuspyserver keeps the length beside the file, and appends to a longer one after a kill.
"""

from __future__ import annotations

import errno
import os
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request

from ds3d_pipeline.programs.folders import sync_path
from ds3d_pipeline.web.accepting import Receipt
from ds3d_pipeline.web.bodies import check_fits, chunks, declared_bytes
from ds3d_pipeline.web.committing import Commit, commit_uploads
from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.problems import Problem, responses
from ds3d_pipeline.web.resumable import Resumable, append, read_metadata
from ds3d_pipeline.web.routes.upload import KNOWN, receipt_response
from ds3d_pipeline.web.settings import WebState

VERSION = "1.0.0"
OFFSET_BYTES = "application/offset+octet-stream"
BINARY = {"type": "string", "format": "binary"}
_VERSION = {"tus-resumable": VERSION}


def _known_version(tus_resumable: Annotated[str, Header()]) -> None:
    if tus_resumable != VERSION:
        raise Problem(412, "This version of tus is not spoken here.", f"Use tus {VERSION}.")


router = APIRouter()
TUS = [Depends(_known_version)]


@router.options("/api/uploads", status_code=204, responses=responses())
def capabilities(web: Web) -> Response:
    """What of tus is spoken here."""
    size = str(web.settings.limits.max_bytes)
    about = {"tus-version": VERSION, "tus-extension": "creation,termination", "tus-max-size": size}
    return Response(status_code=204, headers=_VERSION | about)


@router.post("/api/uploads", status_code=201, responses=responses(400, 412, 413, 422, 507), dependencies=TUS)
def create(
    web: Web, upload_length: Annotated[int, Header(ge=0)], upload_metadata: Annotated[str, Header()] = ""
) -> Response:
    """Begins the upload of one file; `Location` is where its bytes go."""
    check_fits(upload_length, web.received, web.settings.limits)
    made = web.resumables.create(upload_length, read_metadata(upload_metadata))
    return Response(status_code=201, headers=_VERSION | {"location": f"/api/uploads/{made.id}"})


@router.head("/api/uploads/{upload}", responses=responses(404, 412, 422), dependencies=TUS)
def progress(web: Web, upload: str) -> Response:
    """How many bytes have come in."""
    found = web.resumables.find(upload)
    numbers = {"upload-offset": str(web.resumables.offset(found)), "upload-length": str(found.bytes)}
    return Response(headers=_VERSION | numbers | {"cache-control": "no-store"})


@router.patch(
    "/api/uploads/{upload}",
    status_code=204,
    responses=responses(400, 404, 409, 412, 413, 415, 422, 503, 507),
    dependencies=TUS,
    openapi_extra={"requestBody": {"required": True, "content": {OFFSET_BYTES: {"schema": BINARY}}}},
)
async def write(
    request: Request, web: Web, upload: str, upload_offset: Annotated[int, Header(ge=0)]
) -> Response:
    """Takes bytes from `Upload-Offset` on. What has come in stays, however the request ends."""
    if request.headers.get("content-type") != OFFSET_BYTES:
        raise Problem(415, f"The body is no {OFFSET_BYTES}.", "Send it as tus 1.0 says.")
    found = web.resumables.find(upload)
    async with web.resumables.alone(found), web.slots.one():
        if (known := web.resumables.offset(found)) != upload_offset:
            raise Problem(409, f"{known} bytes have come in.", "Go on from there.")
        try:
            offset = await _write(request, web, found, known)
        finally:
            if web.resumables.is_whole(found):
                web.absent.expect(found)
    return Response(status_code=204, headers=_VERSION | {"upload-offset": str(offset)})


async def _write(request: Request, web: WebState, upload: Resumable, offset: int) -> int:
    """Returns how many bytes have come in altogether."""
    path, limits = web.resumables.data(upload), web.settings.limits
    check_fits(declared_bytes(request) or 0, web.received, limits)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        async for chunk in chunks(request, limits, web.received):
            if offset + len(chunk) > upload.bytes:
                raise Problem(413, "More bytes come in than were announced.", "Begin the upload again.")
            await anyio.to_thread.run_sync(append, handle, chunk)
            offset += len(chunk)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise Problem(507, "The server's disk is full.", "Free some space there.") from error
    finally:
        os.close(handle)
    await anyio.to_thread.run_sync(sync_path, path)
    return offset


@router.delete("/api/uploads/{upload}", status_code=204, responses=responses(404, 412, 422), dependencies=TUS)
async def remove(web: Web, upload: str) -> Response:
    """Gives an upload up."""
    found = web.resumables.find(upload)
    async with web.resumables.alone(found):
        web.resumables.remove(found)
    return Response(status_code=204, headers=_VERSION)


@router.post(
    "/api/uploads/commit",
    status_code=202,
    response_model=Receipt,
    responses=KNOWN | responses(400, 404, 409, 413, 422, 507),
)
async def commit(web: Web, asked: Commit) -> JSONResponse:
    """Makes one capture of finished uploads, as `POST /api/upload` does of files in a form.

    The same request once more has the same answer.
    """
    receipt = await anyio.to_thread.run_sync(commit_uploads, web, asked, limiter=web.slots.desk)
    return receipt_response(receipt)
