"""What the page draws in 3D."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.requests import Request

from ds3d_pipeline.report.view_scene import ViewScene
from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.preview import scene_preview, splat_preview
from ds3d_pipeline.web.problems import Problem, responses
from ds3d_pipeline.web.published import Published, find_published
from ds3d_pipeline.web.settings import WebState

router = APIRouter()
SPZ: dict[int | str, dict[str, Any]] = {
    200: {"description": "The splat.", "content": {"application/octet-stream": {}}},
    304: {"description": "It is still what `If-None-Match` names."},
}


@router.head("/api/preview/{job}.spz", responses=SPZ | responses(404), response_class=FileResponse)
@router.get("/api/preview/{job}.spz", responses=SPZ | responses(404), response_class=FileResponse)
def splat(web: Web, request: Request, job: str) -> Response:
    """The splat as SPZ, thinned to at most 150,000 Gaussians of degree 1, in the axes of `sparse/`."""
    preview = splat_preview(web.home, job, _published(web, job))
    if preview is None:
        raise Problem(404, f"{job[:80]} has no splat.", "See /api/result for what there is.")
    etag = f'"{preview.stem}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return FileResponse(preview, media_type="application/octet-stream", headers=headers)


@router.get("/api/preview/{job}.json", responses=responses(404))
def scene(web: Web, job: str) -> ViewScene:
    """Where a view of mesh and splat begins (y up, with the origin of the world), and the unit of lengths."""
    return scene_preview(_published(web, job))


def _published(web: WebState, job: str) -> Published:
    published = find_published(web.home, job) if web.jobs.exists(job) else None
    if published is None:
        raise Problem(404, f"{job[:80]} has no files.", "See /api/result for what there is.")
    return published
