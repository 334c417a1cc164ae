"""Who may speak to this server: Host, Origin and token, looked at before a byte of a body is read.

A middleware of ASGI and no FastAPI dependency: those run after the body was parsed.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ds3d_pipeline.web.problems import Problem, problem_response
from ds3d_pipeline.web.settings import WebSettings

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self' blob:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
OUTPUT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Of a capture's files, among them pages: whatever is in them, it runs nothing and asks for nothing."""
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-cache",
}
SMALL_BYTES = 1_000_000
_SAFE = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_DAYS_S = 86_400
_OVERRIDE = "x-http-method-override"
_OWN_PAGE = "Use this server's own page."


class Guard:
    """Refuses what is not meant for this server, and puts the security headers on every answer.

    As of OWASP's cheat sheets on cross-site request forgery and DNS rebinding.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app, self._hosts, self._token = app, settings.hosts, settings.token
        self._cookie = f"ds3d_token_{settings.port}"
        """With the port, which cookies do not look at: two servers of a machine each have their own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._answer(scope, headers)
        if not _is_upload(scope):
            receive = _within_limit(receive)
        await (answer or self._app)(scope, receive, _with_headers(scope, send))

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """What the guard answers itself; None where the request may pass."""
        problem = self._foreign(scope, headers)
        if problem is None and self._token:
            if scope["path"] == "/" and (given := _token_in_query(scope)):
                return self._let_in(scope, given)
            if not self._has_token(headers):
                problem = _unknown_token()
        return _refusal(problem) if problem else None

    def _foreign(self, scope: Scope, headers: Headers) -> Problem | None:
        hosts = headers.getlist("host")
        named = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        if named is None or named[1].strip("[]") not in self._hosts:
            return Problem(421, "This server has another name.", "Open it by the address that it printed.")
        if scope["type"] == "http" and scope["method"] in _SAFE and _OVERRIDE not in headers:
            return None
        own = (f"http://{hosts[0]}", f"https://{hosts[0]}")
        if any(origin not in own for origin in headers.getlist("origin")):
            return Problem(403, "Requests of other origins are not taken.", _OWN_PAGE)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return Problem(403, "Requests of other sites are not taken.", _OWN_PAGE)
        return None

    def _let_in(self, scope: Scope, given: str) -> Response:
        """The link that the server printed: the token goes into a cookie, and out of the address."""
        if not self._is_token(given):
            return _refusal(_unknown_token())
        answer = RedirectResponse("/", 303)
        secure = scope["scheme"] == "https"
        answer.set_cookie(
            self._cookie, given, max_age=30 * _DAYS_S, httponly=True, samesite="strict", secure=secure
        )
        return answer

    def _has_token(self, headers: Headers) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        return self._is_token(cookie) or (kind.lower() == "bearer" and self._is_token(bearer))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest((self._token or "").encode(), given.encode())


def _is_upload(scope: Scope) -> bool:
    """Whether its body is large by intent, and goes to the disk within limits of its own."""
    return scope["type"] == "http" and (
        scope["method"] == "PATCH" or (scope["method"], scope["path"]) == ("POST", "/api/upload")
    )


def _within_limit(receive: Receive) -> Receive:
    """Every other body is read into memory by FastAPI, whatever its length."""
    room = SMALL_BYTES

    async def receive_small() -> Message:
        nonlocal room
        message = await receive()
        room -= len(message.get("body", b""))
        if room < 0:
            raise Problem(413, "The body is too long.", "Files go to /api/upload or /api/uploads.")
        return message

    return receive_small


def _token_in_query(scope: Scope) -> str:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]


def _unknown_token() -> Problem:
    return Problem(401, "The token is missing or wrong.", "Open the link that the server printed.")


def _refusal(problem: Problem) -> Response:
    """Ends the connection with it, so that nobody goes on sending a body that is not read."""
    answer = problem_response(problem)
    answer.headers["connection"] = "close"
    return answer


def _with_headers(scope: Scope, send: Send) -> Send:
    policy = OUTPUT_POLICY if scope["path"].startswith("/outputs/") else PAGE_POLICY
    ours = HEADERS | {"content-security-policy": policy}

    async def send_with_headers(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            known = {name.lower().decode() for name, _ in message["headers"]}
            new = [(name.encode(), text.encode()) for name, text in ours.items() if name not in known]
            message = {**message, "headers": [*message["headers"], *new]}
        await send(message)

    return send_with_headers
