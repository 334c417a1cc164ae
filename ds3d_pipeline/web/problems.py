"""Answers that say no: a status, one cause and one remedy."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ds3d_pipeline.errors import InputError

log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that is refused with an HTTP status. `cause` says why, `remedy` what to do next."""

    def __init__(self, status: int, cause: str, remedy: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{cause} {remedy}")
        self.status, self.cause, self.remedy, self.retry_after_s = status, cause, remedy, retry_after_s


@dataclass(frozen=True, kw_only=True)
class ProblemBody:
    """What every answer of status 400 and above holds."""

    cause: str
    remedy: str


_MEANINGS = {
    400: "The request broke off or cannot be read.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site.",
    404: "There is no such thing.",
    409: "It cannot be done in the present state.",
    412: "The version of the protocol is another one.",
    413: "It is larger than what is taken.",
    415: "The body is of another kind than what is taken.",
    416: "The file has no such part.",
    421: "The server is called by a name that is not its own.",
    422: "The content, a field or a parameter cannot be used.",
    500: "An error of ds3d itself.",
    503: "Too much at once: try again after `Retry-After` seconds.",
    507: "The disk is too full.",
}
_SEE = "See /api/openapi.json for what is taken."
_OF_THE_GUARD = (401, 403, 421)


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route for its OpenAPI declaration; those that the guard may give are added."""
    return {
        code: {"model": ProblemBody, "description": _MEANINGS[code]}
        for code in sorted({*codes, *_OF_THE_GUARD})
    }


def problem_response(problem: Problem) -> JSONResponse:
    """The answer that a problem is."""
    body = asdict(ProblemBody(cause=problem.cause, remedy=problem.remedy))
    wait = problem.retry_after_s
    headers = {} if wait is None else {"retry-after": str(math.ceil(wait))}
    return JSONResponse(body, problem.status, headers)


def add_handlers(app: FastAPI) -> None:
    """Makes every error of the app an answer with a cause and a remedy."""

    @app.exception_handler(Problem)
    async def refused(request: Request, error: Problem) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(InputError)
    async def unusable(request: Request, error: InputError) -> JSONResponse:
        return problem_response(Problem(422, error.cause, error.remedy))

    @app.exception_handler(RequestValidationError)
    async def misfit(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_misfit(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem_response(_of_status(request, error.status_code))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem_response(
            Problem(
                500, "An error of ds3d itself.", "Look at what the server printed, and report it as a bug."
            )
        )


def _misfit(error: RequestValidationError) -> Problem:
    """The first parameter that does not fit."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "The body"
    return Problem(422, f"{where}: {first['msg']}.", _SEE)


def _of_status(request: Request, status: int) -> Problem:
    match status:
        case 400:
            return Problem(400, "The body cannot be read.", _SEE)
        case 404:
            return Problem(404, "There is nothing at this address.", _SEE)
        case 405:
            cause = f"{request.method} is not taken at this address."
            return Problem(405, cause, _SEE)
        case _:
            return Problem(status, f"{HTTPStatus(status).phrase}.", _SEE)
