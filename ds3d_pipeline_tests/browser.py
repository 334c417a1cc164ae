"""Pages as a real browser shows them: headless Chromium through its DevTools protocol."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars", "--disable-background-networking"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--remote-debugging-port=0"),
)


class Browser:
    """One tab."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        self.requested: list[str] = []
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and returns its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            told = self._receive(60)
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]

    def _receive(self, timeout: float) -> dict[str, Any]:
        told = json.loads(self._socket.recv(timeout))
        if told.get("method") == "Network.requestWillBeSent":
            self.requested.append(told["params"]["request"]["url"])
        return told

    def open(self, url: str, *, size_wh: tuple[int, int] = (1100, 900), scheme: str = "light") -> None:
        """Loads a page in a window of this size and colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=size_wh[0],
            height=size_wh[1],
            deviceScaleFactor=1,
            mobile=size_wh[0] < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, of a promise what it comes to."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return told["result"].get("value")

    def count(self, kind: str) -> int:
        """How many objects of a class, such as `HTMLCanvasElement`, are not free to be collected."""
        self.call("HeapProfiler.collectGarbage")
        group = {"objectGroup": "count"}
        like = self.call("Runtime.evaluate", expression=f"{kind}.prototype", **group)["result"]
        found = self.call("Runtime.queryObjects", prototypeObjectId=like["objectId"], **group)["objects"]
        length = self.call(
            "Runtime.callFunctionOn",
            objectId=found["objectId"],
            functionDeclaration="function () { return this.length }",
            returnByValue=True,
        )
        self.call("Runtime.releaseObjectGroup", **group)
        return length["result"]["value"]

    def wait_for(self, expression: str, timeout_s: float = 60) -> None:
        """Returns as soon as a JavaScript expression is true."""
        deadline = time.monotonic() + timeout_s
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.1)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Writes what is seen, or the whole page, as a PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def open_browser(profile: Path, *flags: str) -> Iterator[Browser]:
    """A fresh tab of a browser with these flags too; skips the test where no Chromium is installed."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    process = subprocess.Popen(
        [program, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
    )
    try:
        port = _wait_for_port(profile / "DevToolsActivePort", process)
        (page,) = [target for target in _ask(port, "list") if target["type"] == "page"]
        with connect(page["webSocketDebuggerUrl"], max_size=None, ping_interval=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def another_tab(profile: Path) -> Iterator[Browser]:
    """One more tab of the browser of this profile, closed at the end as a person closes it."""
    port = (profile / "DevToolsActivePort").read_text().split()[0]
    page = _ask(port, "new")
    try:
        with connect(page["webSocketDebuggerUrl"], max_size=None, ping_interval=None) as socket:
            yield Browser(socket)
    finally:
        _ask(port, f"close/{page['id']}")


def _ask(port: str, what: str) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/json/{what}", method="PUT")
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text.startswith((b"{", b"[")) else text


def _wait_for_port(file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None, "Chromium ended at once"
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.1)
    return file.read_text().split()[0]
