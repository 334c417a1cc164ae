"""`ds3d serve`: the upload page, and what it needs of Dagster, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.programs.locks import locked_if_free
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.programs.settings import check_settings, read_text
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.storage.home import Home, prepare_home
from ds3d_pipeline.web.app import create_app
from ds3d_pipeline.web.daemons import daemon_beats
from ds3d_pipeline.web.lan import certificate, kept_token, own_addresses, own_names, qr_code
from ds3d_pipeline.web.services import Services
from ds3d_pipeline.web.settings import LOOPBACK, WebSettings, WebState

EVERYWHERE = "0.0.0.0"
TICK_S = 1.0
_SOCKET_BYTES = 65_536
_CLOSES_WITHIN_S = 3
Say = Callable[[str], None]


def serve(args: argparse.Namespace, say: Say) -> None:
    """Serves until it is stopped. Raises InputError where another server has this home, or the port."""
    check_settings()
    home = prepare_home()
    settings = settings_of(args, home)
    with _only_one(home, _url(settings, args.https)), _listening(settings) as listener:
        tls = certificate(home, settings.hosts) if args.https else None
        app = create_app(settings)
        with Stops() as stops, _running(app, listener, tls) as server:
            _announce(settings, say, https=args.https)
            if not args.no_open:
                webbrowser.open(_link(settings, https=args.https))
            _attend(app.state.web, server, stops, say)


def settings_of(args: argparse.Namespace, home: Home) -> WebSettings:
    """What the server is started with: beyond this machine there is always a token."""
    host = args.host or (EVERYWHERE if args.lan else "127.0.0.1")
    is_open = host not in LOOPBACK
    token = args.token or read_text("DS3D_TOKEN") or (kept_token(home) if is_open else None)
    names = {*own_addresses(), *own_names(), host} if is_open else {host}
    names |= {name.strip().lower() for name in (read_text("DS3D_HOSTS") or "").split(",")} - {""}
    return WebSettings(
        home=home.root,
        host=host,
        port=args.port,
        hosts=LOOPBACK | (names - {EVERYWHERE, "::"}),
        token=token,
        daemon=not args.no_daemon,
    )


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where the server of a home is, for who tries to start a second one."""

    url: str


@contextlib.contextmanager
def _only_one(home: Home, url: str) -> Generator[None]:
    record = home.locks / "serve.json"
    with locked_if_free(home.locks / "serve") as is_mine:
        if not is_mine:
            raise InputError(f"A server of this home runs already{_where(record)}.", "Open that, or stop it.")
        write_json(record, Serving(url=url))
        yield


def _where(record: Path) -> str:
    try:
        return f" at {read_json(record, Serving).url}"
    except (FileNotFoundError, ValueError):
        return ""


@contextlib.contextmanager
def _listening(settings: WebSettings) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            cause = f"{settings.host} cannot be listened on at port {settings.port}: {error.strerror}."
            raise InputError(cause, "Give another --port, or stop what uses it.") from error
        yield listener


@contextlib.contextmanager
def _running(
    app: FastAPI, listener: socket.socket, tls: tuple[Path, Path] | None
) -> Generator[uvicorn.Server]:
    """In a thread, where uvicorn leaves the signals alone."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=_SOCKET_BYTES,
        timeout_graceful_shutdown=_CLOSES_WITHIN_S,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="server")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise StageError("The server did not start.", "Look at what it printed above.")
            thread.join(0.02)
        yield server
    finally:
        server.should_exit = True
        thread.join()


def _url(settings: WebSettings, https: bool) -> str:
    host = "127.0.0.1" if settings.host in (EVERYWHERE, "::", *LOOPBACK) else settings.host
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if https else 'http'}://{name}:{settings.port}"


def _link(settings: WebSettings, *, https: bool, host: str | None = None) -> str:
    """The address with the token, which the page then keeps."""
    url = _url(settings, https)
    if host:
        url = f"{url.partition('://')[0]}://{host}:{settings.port}"
    return f"{url}/?token={settings.token}" if settings.token else url


def _announce(settings: WebSettings, say: Say, *, https: bool) -> None:
    say(f"The upload page is at {_link(settings, https=https)} - press Ctrl-C to stop.")
    others = own_addresses() if settings.host == EVERYWHERE else []
    for host in others:
        say(f"On other machines: {_link(settings, https=https, host=host)}")
    if others:
        say(qr_code(_link(settings, https=https, host=others[0])))


class Stops:
    """How often somebody pressed Ctrl-C, and whether the system asked to end (SIGTERM, SIGHUP)."""

    def __init__(self) -> None:
        self.presses = 0
        self.is_terminated = False
        self._woken = threading.Event()
        self._earlier: dict[int, object] = {}

    def __enter__(self) -> Stops:
        """A shell starts its background jobs with SIGINT ignored, and children inherit that: not ours."""
        ends = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]
        self._earlier = {number: signal.signal(number, self._end) for number in ends}
        self._earlier[signal.SIGINT] = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.presses += 1
        self._woken.set()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.is_terminated = True
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Returns at once at a signal."""
        self._woken.wait(seconds)
        self._woken.clear()


def _attend(web: WebState, server: uvicorn.Server, stops: Stops, say: Say) -> None:
    """Returns once the server is to stop; what it brought of Dagster has ended then.

    Opens the instance that the routes use, which takes seconds in a new home.
    """

    def is_wanted() -> bool:
        return not (stops.presses or stops.is_terminated or server.should_exit)

    with contextlib.ExitStack() as ending:
        instance = web.jobs.instance
        if not web.settings.daemon or daemon_beats(web.home, instance, is_wanted):
            while is_wanted():
                stops.wait(TICK_S)
            return
        web.settings.brings_daemon.set()
        services = Services(web.home)
        ending.callback(services.stop)
        services.start()
        _tend(web, services, server, stops, say)


def _tend(web: WebState, services: Services, server: uvicorn.Server, stops: Stops, say: Say) -> None:
    """The first Ctrl-C waits for what is worked on, the second one ends it, as SIGTERM does at once."""
    is_said = False
    while not (stops.presses > 1 or stops.is_terminated or server.should_exit):
        if stops.presses:
            going = web.jobs.going_on()
            if not going:
                return
            if not is_said:
                say(going_on_line(len(going)))
                services.hold()
                web.settings.brings_daemon.clear()
                is_said = True
        services.tend(web.jobs.instance)
        stops.wait(TICK_S)
    services.end_runs(web.jobs.instance)


def going_on_line(number: int) -> str:
    """What the first Ctrl-C answers."""
    goes, it = ("goes", "it") if number == 1 else ("go", "them")
    return f"{plural(number, 'capture')} {goes} on; press again to stop {it}."
