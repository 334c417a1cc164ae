"""What the page draws in 3D."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.requests import Request

from ds3d_pipeline.names import STAGES
from ds3d_pipeline.report.view_scene import ViewScene
from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.growth import Growing, growing_scene, stage_view
from ds3d_pipeline.web.outputs import media_type
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
    """The splat as SPZ, thinned to at most 150,000 Gaussians of degree 1, Y up."""
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


STAGE_VIEW: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the stage has to show.",
        "content": {"image/jpeg": {}, "model/gltf-binary": {}, "application/octet-stream": {}},
    },
}


@router.get("/api/growth/{job}.json", responses=responses(404))
def growth_scene(web: Web, job: str) -> ViewScene:
    """Where a view of a capture that is still being made begins."""
    return growing_scene(_growing(web, job))


@router.get("/api/growth/{job}/{stage}", responses=STAGE_VIEW | responses(404), response_class=FileResponse)
def growth(web: Web, job: str, stage: str) -> FileResponse:
    """What a finished stage has to show while the run goes on: a picture (keyframes, depth_maps, and the
    training of the splat), points as SPZ (poses, pointcloud) or the mesh as GLB."""
    file = stage_view(_growing(web, job), stage) if stage in STAGES else None
    if file is None:
        raise Problem(404, f"{stage[:80]} has nothing to show yet.", "See /api/status for what is finished.")
    return FileResponse(file, media_type=media_type(file.name), headers={"cache-control": "no-cache"})


def _growing(web: WebState, job: str) -> Growing:
    return Growing(home=web.home, capture=job, run_id=web.jobs.status(job).run_id)


def _published(web: WebState, job: str) -> Published:
    published = find_published(web.home, job) if web.jobs.exists(job) else None
    if published is None:
        raise Problem(404, f"{job[:80]} has no files.", "See /api/result for what there is.")
    return published
