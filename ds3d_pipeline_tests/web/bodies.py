"""Requests whose bodies come in as a test wants them to."""

from collections.abc import Callable, Sequence

import anyio
from starlette.requests import Request


def request_of(
    pieces: Sequence[bytes],
    headers: dict[str, str],
    *,
    then: Callable[[], None] | None = None,
    stalls: bool = False,
) -> Request:
    """A POST with a body in these pieces; then it ends, or after `then` it breaks off, or it stalls."""
    waiting = list(pieces)

    async def receive():
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": True}
        if stalls:
            await anyio.sleep_forever()
        if then:
            then()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/upload",
        "query_string": b"",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
    }
    return Request(scope, receive)


def cut(data: bytes, size: int) -> list[bytes]:
    """In pieces of so many bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]
