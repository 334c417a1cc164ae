"""A real `ds3d serve` in a process of its own, and what it is asked."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ds3d_pipeline_tests.captures import DS3D, environment
from ds3d_pipeline_tests.ports import free_port

LONG_S = 1200.0


@dataclass(kw_only=True)
class Live:
    """One `ds3d serve`."""

    home: Path
    port: int
    process: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.origin, timeout=60)

    def upload(self, photos: Path, mode: str = "fastest", name: str = "tiny") -> str:
        """Sends the photos and returns the job."""
        files = [("files", (path.name, path.read_bytes())) for path in sorted(photos.iterdir())]
        with self.client as client:
            answer = client.post("/api/upload", files=files, data={"mode": mode, "name": name})
        assert answer.status_code == 202, answer.text
        return answer.json()["job_id"]

    def status(self, job: str) -> dict[str, Any]:
        with self.client as client:
            return client.get(f"/api/status/{job}").json()

    def wait_for(self, job: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status that is as wanted."""
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            if wanted(now := self.status(job)):
                return now
            time.sleep(0.2)
        raise AssertionError(f"never as wanted: {now}\n{self.said()}")

    def follow(self, job: str) -> list[dict[str, Any]]:
        """Every message of the job's socket until it is closed."""
        found: list[dict[str, Any]] = []
        with connect(f"ws://127.0.0.1:{self.port}/ws/{job}", proxy=None) as socket:
            try:
                while True:
                    found.append(json.loads(socket.recv(timeout=LONG_S)))
            except ConnectionClosed:
                return found

    def service(self, word: str) -> psutil.Process:
        """The child whose command has this word: `grpc` or `defs.daemon`."""
        return wait(lambda: find_child(self.process.pid, word))

    def said(self) -> str:
        return (self.home / "said.txt").read_text()


def find_child(pid: int, word: str) -> psutil.Process | None:
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if any(word in part for part in child.cmdline()):
                return child
    return None


def wait(look: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing was found in time")


@contextlib.contextmanager
def live(home: Path, *words: str, port: int | None = None) -> Iterator[Live]:
    """Starts it, on a free port or on this one, waits until it answers, and ends it if the test has not."""
    home.mkdir(exist_ok=True)
    port = port or free_port()
    with (home / "said.txt").open("a") as said:
        process = subprocess.Popen(
            [*DS3D, "serve", "--no-open", "--port", str(port), *words],
            stdout=said,
            stderr=said,
            text=True,
            env=environment(home),
            start_new_session=True,
        )
    server = Live(home=home, port=port, process=process)
    try:
        wait(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, server.said()
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/info", timeout=5).status_code in (200, 401)
    except httpx.TransportError:
        return False
