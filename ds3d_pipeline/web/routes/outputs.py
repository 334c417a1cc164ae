"""The files of finished captures, by name from their `metrics.json` and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.requests import Request

from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.outputs import SHOWN, find_output, media_type, zip_stream
from ds3d_pipeline.web.problems import Problem, problem_response, responses
from ds3d_pipeline.web.published import find_published

router = APIRouter()
_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"application/octet-stream": {}}},
    206: {"description": "The part of it that `Range` names."},
    304: {"description": "It is still what `If-None-Match` names."},
}
ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "All files.", "content": {"application/zip": {}}}
}


@router.get("/outputs/{job}.zip", responses=ZIP | responses(404), response_class=StreamingResponse)
def everything(web: Web, job: str) -> StreamingResponse:
    """All files of a finished capture as one zip, written while it is sent."""
    published = find_published(web.home, job) if web.jobs.exists(job) else None
    if published is None:
        raise Problem(404, f"{job[:80]} has no files.", "See /api/result for what there is.")
    headers = {"content-disposition": f'attachment; filename="{job}.zip"'}
    return StreamingResponse(zip_stream(job, published), media_type="application/zip", headers=headers)


@router.head("/outputs/{job}/{path:path}", responses=FILE | responses(404, 416), response_class=FileResponse)
@router.get("/outputs/{job}/{path:path}", responses=FILE | responses(404, 416), response_class=FileResponse)
def output(web: Web, request: Request, job: str, path: str) -> Response:
    """One file of a capture, or a part of it. Those of a run that failed are below `failed/`."""
    file = find_output(web.home, job, path) if web.jobs.exists(job) else None
    if file is None:
        raise Problem(404, f"{job[:80]} has no file {path[:80]!r}.", "See /api/result for what there is.")
    found = file.stat()
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if etag in _etags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if refusal := _out_of_range(request.headers.get("range"), found.st_size):
        return refusal
    return _file(file, f"{job}-{Path(path).name}", headers)


def _file(file: Path, name: str, headers: dict[str, str]) -> FileResponse:
    shown = file.suffix.lower() in SHOWN
    return FileResponse(
        file,
        media_type=media_type(file.name),
        filename=name,
        content_disposition_type="inline" if shown else "attachment",
        headers=headers,
    )


def _etags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _out_of_range(header: str | None, size: int) -> Response | None:
    """The refusal of a range that the file has nothing of, or that is none."""
    if header is None or all(_has_part(part, size) for part in header.removeprefix("bytes=").split(",")):
        return None
    answer = problem_response(Problem(416, "The file has no such part.", "Ask for bytes that it has."))
    answer.headers["content-range"] = f"bytes */{size}"
    return answer


def _has_part(part: str, size: int) -> bool:
    named = _RANGE.fullmatch(part.strip())
    start, end = named.groups() if named else ("", "")
    if start:
        return int(start) < size and (not end or int(end) >= int(start))
    return bool(end) and int(end) > 0 and size > 0
