"""`WS /ws/{job}`: the status of a job as it changes, whole each time.

    {"type": "init", "job": Status}                        at once, after every reconnect too
    {"type": "progress", "job": Status}                    at each change, at most twice a second
    {"type": "complete", "job": Status, "result": Result}  and the socket closes with 1000
    {"type": "error", "cause": ..., "remedy": ...}         with `job` of a run that failed; closes with 1000

A name that no capture has is an `error` and closes with 4404, one listener too many with 1013.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.follow import Newest
from ds3d_pipeline.web.outputs import find_result
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.settings import WebState
from ds3d_pipeline.web.status import JobStatus

router = APIRouter()
NORMAL = 1000
_CLOSES = {404: 4404, 500: 1011, 503: 1013}


@router.websocket("/ws/{job}")
async def follow(socket: WebSocket, job: str, web: Web) -> None:
    """Until the job has ended or the page is gone."""
    await socket.accept()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_gone, socket, tasks.cancel_scope)
        await _tell(socket, job, web)
        tasks.cancel_scope.cancel()


async def _until_gone(socket: WebSocket, scope: anyio.CancelScope) -> None:
    """What the page sends is not listened to; that it has gone ends everything."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue
    scope.cancel()


async def _tell(socket: WebSocket, job: str, web: WebState) -> None:
    try:
        async with web.follower.listening(job) as newest:
            await _all(socket, web, newest)
    except Problem as problem:
        await _refuse(socket, problem)
    except WebSocketDisconnect:
        return


async def _all(socket: WebSocket, web: WebState, newest: Newest) -> None:
    """Every status from the present one to the last."""
    kind = "init"
    while True:
        now = await newest.get()
        if isinstance(now, Problem):
            raise now
        if kind == "init" or not now.has_ended:
            await socket.send_json({"type": kind, "job": now.to_json()})
        if now.has_ended:
            await socket.send_json(await anyio.to_thread.run_sync(_end, web, now))
            await socket.close(NORMAL)
            return
        kind = "progress"


def _end(web: WebState, status: JobStatus) -> dict[str, Any]:
    job = status.to_json()
    match status.state:
        case "finished":
            return {"type": "complete", "job": job, "result": asdict(find_result(web.home, status))}
        case "cancelled":
            cause, remedy = "It was cancelled.", "Start it again: what is finished is kept."
        case _:
            cause = status.reasons[0] if status.reasons else "The run failed."
            remedy = "Its report says what to do."
    return {"type": "error", "job": job, "cause": cause, "remedy": remedy}


async def _refuse(socket: WebSocket, problem: Problem) -> None:
    await socket.send_json({"type": "error", "cause": problem.cause, "remedy": problem.remedy})
    await socket.close(_CLOSES[problem.status])
