"""What a person does with the page."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ds3d_pipeline_tests.browser import Browser, open_browser
from ds3d_pipeline_tests.web.servers import Server

PHONE, DESKTOP = (390, 844), (1280, 900)
_LISTEN = (
    "window.violations = []; document.addEventListener('securitypolicyviolation',"
    " (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`))"
)
READY = "document.body.dataset.ready === 'true'"


@contextlib.contextmanager
def opened(
    server: Server, tmp_path: Path, size_wh: tuple[int, int] = DESKTOP, language: str = "en"
) -> Iterator[Browser]:
    """The page in a tab of its own, which at the end has done nothing that its policy forbids."""
    with open_browser(tmp_path / "profile") as browser:
        visit(browser, server.origin, size_wh, language)
        yield browser
        assert browser.evaluate("violations") == []


def visit(browser: Browser, origin: str, size_wh: tuple[int, int] = DESKTOP, language: str = "en") -> None:
    """Opens the page and waits until it can be used."""
    browser.call("Network.setUserAgentOverride", userAgent="test", acceptLanguage=language)
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=_LISTEN)
    browser.open(origin, size_wh=size_wh)
    browser.wait_for(READY)


def pick(browser: Browser, paths: Sequence[Path]) -> None:
    """Chooses files as a person does with the button."""
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=root, selector="#pick")["nodeId"]
    browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])


def drop(browser: Browser, paths: Sequence[Path]) -> None:
    """Lets go of files in the middle of the window."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.call("Input.dispatchDragEvent", type=kind, x=640, y=700, data=data)


def text(browser: Browser, selector: str) -> str:
    """What is to be read there; nothing where there is no such node."""
    return browser.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")


def click(browser: Browser, selector: str) -> None:
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).click()")


def slow_down(browser: Browser, bytes_per_s: int) -> None:
    """Sends no faster than this."""
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    browser.call("Network.emulateNetworkConditions", **conditions, uploadThroughput=bytes_per_s)
