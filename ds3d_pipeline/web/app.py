"""The server as one app: guard, routes and page."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from ds3d_pipeline import __version__
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.web.problems import add_handlers
from ds3d_pipeline.web.routes import info
from ds3d_pipeline.web.settings import WebSettings, WebState

PAGE = Path(__file__).parent / "page"
ROUTERS = (info.router,)


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
    )
    app.state.web = WebState(settings=settings, home=prepare_home(), instance=None, jobs=None, follower=None)
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_page(app)
    return app


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False))
