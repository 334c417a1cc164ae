"""What routes and sockets ask FastAPI for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from ds3d_pipeline.web.settings import WebState


def web_state(connection: HTTPConnection) -> WebState:
    """What the routes of this server share."""
    return connection.app.state.web


Web = Annotated[WebState, Depends(web_state)]
