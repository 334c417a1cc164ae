"""`POST /api/upload`: files in a form."""

from __future__ import annotations

import uuid
from dataclasses import asdict

import anyio
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.web.accepting import NAME_LENGTH, Receipt, accept_received
from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.problems import responses
from ds3d_pipeline.web.receive import PART_SUFFIX, received_form

router = APIRouter()
FORM = {
    "type": "object",
    "required": ["files"],
    "additionalProperties": False,
    "properties": {
        "files": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1},
        "mode": {"type": "string", "enum": list(MODES), "default": DEFAULT_MODE},
        "name": {"type": "string", "maxLength": NAME_LENGTH},
    },
}
KNOWN: dict[int | str, dict[str, object]] = {
    200: {"model": Receipt, "description": "The same content was sent in this mode before."}
}
"""Beside 202, for every way in which an upload ends."""


@router.post(
    "/api/upload",
    status_code=202,
    response_model=Receipt,
    responses=KNOWN | responses(400, 413, 415, 422, 503, 507),
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
)
async def upload(request: Request, web: Web) -> JSONResponse:
    """Takes one video, photos, or a zip of photos, and asks for their reconstruction."""
    folder = web.received / f"{uuid.uuid4().hex}{PART_SUFFIX}"
    async with web.slots.one(), received_form(request, folder, web.settings.limits) as form:
        mode, name = form.fields.get("mode"), form.fields.get("name")
        receipt = await anyio.to_thread.run_sync(
            accept_received, web, folder, form.files, mode, name, limiter=web.slots.desk
        )
    return receipt_response(receipt)


def receipt_response(receipt: Receipt) -> JSONResponse:
    """202 where a run was asked for, else 200."""
    return JSONResponse(asdict(receipt), 202 if receipt.new else 200)
