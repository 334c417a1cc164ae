"""Real servers for tests, in a thread of this process."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from ds3d_pipeline.web.app import create_app
from ds3d_pipeline.web.settings import LOOPBACK, Limits, WebSettings
from ds3d_pipeline_tests.ports import free_port

ROOMY = Limits(reserve_bytes=0)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that answers, and a client of it."""

    home: Path
    port: int
    client: httpx.Client
    settings: WebSettings

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(
    home: Path,
    *,
    token: str | None = None,
    limits: Limits = ROOMY,
    port: int | None = None,
    names: Iterable[str] = (),
    tls: tuple[Path, Path] | None = None,
) -> Iterator[Server]:
    """A server on this home, which `DAGSTER_HOME` must name; on a free port, or on this one.

    `names` may be its host too; with `tls`, a certificate and its key, it speaks https alone.
    """
    port = port or free_port()
    hosts = LOOPBACK | set(names)
    settings = WebSettings(home=home, port=port, token=token, limits=limits, hosts=hosts)
    app = create_app(settings)
    certificate, key = tls or (None, None)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield Server(home=home, port=port, client=client, settings=settings)
    finally:
        server.should_exit = True
        thread.join()
