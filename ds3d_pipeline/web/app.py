"""The server as one app: guard, routes and page."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from ds3d_pipeline import __version__
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.web.bodies import Slots
from ds3d_pipeline.web.committing import Absent
from ds3d_pipeline.web.follow import Follower
from ds3d_pipeline.web.guard import Guard
from ds3d_pipeline.web.jobs import Jobs
from ds3d_pipeline.web.problems import add_handlers
from ds3d_pipeline.web.receive import remove_halves
from ds3d_pipeline.web.received import received_folder
from ds3d_pipeline.web.resumable import Resumables
from ds3d_pipeline.web.routes import info, jobs, outputs, preview, sockets, upload, uploads
from ds3d_pipeline.web.settings import WebSettings, WebState

PAGE = Path(__file__).parent / "page"
ROUTERS = (
    info.router,
    upload.router,
    uploads.router,
    jobs.router,
    outputs.router,
    preview.router,
    sockets.router,
)


def create_app(settings: WebSettings) -> FastAPI:
    """The server of one home, which `DAGSTER_HOME` must name."""
    app = FastAPI(
        title="ds3d",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A redirect would tell a path from its neighbour before the guard of that route has looked at it.
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    add_handlers(app)
    app.add_middleware(Guard, settings=settings)
    for router in ROUTERS:
        app.include_router(router)
    _add_page(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What the routes share is there as long as the server runs."""
    settings: WebSettings = app.state.settings
    home = prepare_home()
    received = received_folder(home)
    received.mkdir(exist_ok=True)
    remove_halves(home, received)
    with contextlib.closing(Jobs(home, brings_daemon=settings.brings_daemon.is_set)) as known:
        absent = Absent(settings.limits.absent_s)
        app.state.web = web = WebState(
            settings=settings,
            home=home,
            jobs=known,
            follower=Follower(known.status),
            slots=Slots(settings.limits.concurrent_uploads, settings.limits.wait_s),
            resumables=Resumables(received),
            absent=absent,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(absent.run, web)
            yield
            tasks.cancel_scope.cancel()


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False))
