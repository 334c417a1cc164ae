"""Lets only this machine's own page of the viewer in: other sites' scripts can reach 127.0.0.1 too.

A page elsewhere may open a WebSocket to any address (its Origin shows that), or make its own name point to
this machine (its Host shows that). viser checks neither and has no hook for it, so its server is started with
this check before its own handler of requests.
"""

from __future__ import annotations

import contextlib
import http
import inspect
import threading
from collections.abc import Iterator
from typing import Any

from websockets.asyncio import server as websockets_server
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

NAMES = ("127.0.0.1", "localhost")
HTTP_PORT = 80
"""Browsers leave this one out of Host and Origin."""
REFUSED = b"This address shows a capture of ds3d to its own page only.\n"
_STARTING = threading.Lock()


def is_own(headers: Headers, port: int) -> bool:
    """Whether a request names this server as its host, and comes from its page or from no page at all."""
    hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
    own = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == HTTP_PORT else set())
    return (
        len(hosts) == 1 and hosts[0] in own and all(o in {f"http://{name}" for name in own} for o in origins)
    )


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Servers that are started inside refuse requests that are not their own with 403."""
    serve = websockets_server.serve

    def serve_own(handler: Any, host: str, port: int, *, process_request: Any = None, **rest: Any) -> Any:
        return serve(handler, host, port, process_request=_first_refuse(process_request, port), **rest)

    with _STARTING:
        websockets_server.serve = serve_own
        try:
            yield
        finally:
            websockets_server.serve = serve


def _first_refuse(answer: Any, port: int) -> Any:
    async def process(connection: ServerConnection, request: Request) -> Response | None:
        if not is_own(request.headers, port):
            return Response(http.HTTPStatus.FORBIDDEN, "Forbidden", _plain(), REFUSED)
        answered = answer(connection, request) if answer else None
        return await answered if inspect.isawaitable(answered) else answered

    return process


def _plain() -> Headers:
    return Headers({"Content-Type": "text/plain", "Content-Length": str(len(REFUSED)), "Connection": "close"})
