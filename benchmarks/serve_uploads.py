"""Uploads to a real server, many at once and under bad conditions, as a table.

    python benchmarks/serve_uploads.py [--uploads 50] [--megabytes 20]

Every upload is two photos that no other has, so that each becomes a capture. Nothing is reconstructed. Memory
is the server's resident set. "rest" is what is left of uploads beside the captures that they became.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

START = "import sys, uvicorn; from pathlib import Path; from ds3d_pipeline.web.app import create_app; \
from ds3d_pipeline.web.settings import WebSettings; home, port = Path(sys.argv[1]), int(sys.argv[2]); \
uvicorn.run(create_app(WebSettings(home=home, port=port)), port=port, log_level='error')"
TUS = {"tus-resumable": "1.0.0"}
BORDER = "----ds3d"
FORM = {"content-type": f"multipart/form-data; boundary={BORDER}"}
PIECE = 1 << 16


class Server:
    """A server in a process of its own, and the largest memory that it had."""

    def __init__(self, home: Path) -> None:
        self.home, self.port, self.peak = home, free_port(), 0
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=600)

    def start(self) -> Server:
        environment = os.environ | {"DAGSTER_HOME": str(self.home)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(self.home), str(self.port)], env=environment
        )
        while True:
            with contextlib.suppress(httpx.TransportError):
                self.client.get("/api/info")
                break
            time.sleep(0.1)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self) -> None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            while True:
                self.peak = max(self.peak, process.memory_info().rss)
                time.sleep(0.05)

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait()

    def rest(self) -> int:
        received = self.home / "received"
        return len([*received.glob("*.part"), *received.glob("*.tus/data")])

    def orders(self) -> int:
        return len(list((self.home / "orders").glob("*.json")))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def photo(megabytes: float) -> bytes:
    """A PNG of noise."""
    side = int((megabytes * 1e6 / 3) ** 0.5)
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(data, "PNG", compress_level=0)
    return data.getvalue()


def own(base: bytes, number: int) -> bytes:
    """The same photo with a comment, which makes it another file."""
    text = b"tEXtComment\0" + str(number).encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return base[:33] + chunk + base[33:]


def form(base: bytes, number: int) -> bytes:
    parts = [
        f'--{BORDER}\r\nContent-Disposition: form-data; name="files"; filename="{side}.png"\r\n\r\n'.encode()
        + own(base, 10 * number + side)
        + b"\r\n"
        for side in (1, 2)
    ]
    return b"".join(parts) + f"--{BORDER}--\r\n".encode()


def send_form(server: Server, body: bytes) -> tuple[int, int]:
    """Its status, and how often it was sent away before."""
    for tries in range(100):
        answer = server.client.post("/api/upload", content=body, headers=FORM)
        if answer.status_code != 503:
            return answer.status_code, tries
        time.sleep(float(answer.headers["retry-after"]))
    return 503, 100


def begin(server: Server, size: int, name: str) -> str:
    shown = f"filename {base64.b64encode(name.encode()).decode()}"
    headers = TUS | {"upload-length": str(size), "upload-metadata": shown}
    return server.client.post("/api/uploads", headers=headers).headers["location"]


def offset(server: Server, place: str) -> int:
    return int(server.client.head(place, headers=TUS).headers["upload-offset"])


def go_on(server: Server, place: str, at: int, content: object) -> httpx.Response:
    headers = TUS | {"content-type": "application/offset+octet-stream", "upload-offset": str(at)}
    return server.client.patch(place, headers=headers, content=content)


def send_resumable(server: Server, photos: list[bytes]) -> tuple[int, int]:
    places = [begin(server, len(data), f"{number}.png") for number, data in enumerate(photos)]
    tries = 0
    for place, data in zip(places, photos, strict=True):
        while go_on(server, place, 0, data).status_code == 503:
            tries += 1
    ids = [place.rpartition("/")[2] for place in places]
    return server.client.post("/api/uploads/commit", json={"ids": ids}).status_code, tries


def at_once(server: Server, name: str, send, bodies: list) -> None:
    """All of them at once, while somebody else asks for `/api/info`."""
    server.peak, known, waits = 0, server.orders(), []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=600) as client:
            while not done.is_set():
                began = time.monotonic()
                client.get("/api/info")
                waits.append(time.monotonic() - began)
                time.sleep(0.1)

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    with ThreadPoolExecutor(len(bodies)) as pool:
        found = list(pool.map(lambda body: send(server, body), bodies))
    seconds = time.monotonic() - began
    done.set()
    asking.join()
    taken, away = sum(status == 202 for status, _ in found), sum(tries for _, tries in found)
    told = f"{taken} of {len(bodies)} taken, {server.orders() - known} orders, {away} times sent away"
    row(name, seconds, f"{told}; others waited at most {max(waits):.2f} s", server)


def row(name: str, seconds: float, what: str, server: Server) -> None:
    numbers = f"{seconds:8.1f} s  {server.peak / 1e6:6.0f} MB  {server.rest():3} rest"
    print(f"{name:<32}{numbers}  {what}", flush=True)


def slowly(data: bytes, bytes_per_s: float):
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]
        time.sleep(PIECE / bytes_per_s)


def slow(server: Server, body: bytes) -> None:
    server.peak, began = 0, time.monotonic()
    length = {"content-length": str(len(body))}
    answer = server.client.post("/api/upload", content=slowly(body, 1e6), headers=FORM | length)
    row("a slow one, 1 MB/s", time.monotonic() - began, f"status {answer.status_code}", server)


def cut(server: Server, body: bytes) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        head = f"POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\n"
        wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])
    while server.rest():
        time.sleep(0.01)
    row("one that is cut in the middle", time.monotonic() - began, "nothing is left", server)


def resumed(server: Server, data: bytes) -> None:
    """The server is killed while it comes in, and another one goes on."""
    began, place = time.monotonic(), begin(server, len(data), "1.png")
    killing = threading.Timer(0.6 * len(data) / 4e6, lambda: server.end(signal.SIGKILL))
    killing.start()
    with contextlib.suppress(httpx.TransportError):
        go_on(server, place, 0, slowly(data, 4e6))
    killing.join()
    server.start()
    known = offset(server, place)
    go_on(server, place, known, data[known:])
    path = server.home / "received" / f"{place.rpartition('/')[2]}.tus" / "data"
    same = "the same bytes" if path.read_bytes() == data else "OTHER BYTES"
    told = f"from {known / 1e6:.1f} MB on, {same}"
    row("killed (-9), then resumed", time.monotonic() - began, told, server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--megabytes", type=float, default=20)
    words = parser.parse_args()
    base = photo(words.megabytes / 2)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "home").start()
        print(f"quiet server: {psutil.Process(server.process.pid).memory_info().rss / 1e6:.0f} MB")
        forms = [form(base, number) for number in range(words.uploads)]
        at_once(server, f"{words.uploads} forms at once", send_form, forms)
        pairs = [[own(base, 10 * number + 3), own(base, 10 * number + 4)] for number in range(words.uploads)]
        at_once(server, f"{words.uploads} resumable ones at once", send_resumable, pairs)
        slow(server, form(base, 10**6))
        cut(server, form(base, 10**7))
        resumed(server, base)
        server.end(signal.SIGTERM)


if __name__ == "__main__":
    main()
