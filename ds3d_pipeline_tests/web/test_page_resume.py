"""A large file sent from a real browser to a `ds3d serve` in a process of its own, and what cuts it off."""

import contextlib
import hashlib

import pytest

from ds3d_pipeline_tests.browser import another_tab, open_browser
from ds3d_pipeline_tests.finished import noise_picture
from ds3d_pipeline_tests.web.live import live
from ds3d_pipeline_tests.web.pages import click, pick, slow_down, visit

pytestmark = pytest.mark.browser
SLOW, FAST = 4_000_000, -1
SENT = "document.getElementById('sent').value"


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo of about 20 MB."""
    path = tmp_path_factory.mktemp("photo") / "large.png"
    noise_picture(path, (2600, 2600))
    return path


def begin(browser, photo):
    """Sends until a third is there."""
    slow_down(browser, SLOW)
    choose_and_send(browser, photo)
    browser.wait_for(f"{SENT} > 0.3")


def choose_and_send(browser, photo):
    pick(browser, [photo])
    browser.wait_for("!document.getElementById('send').disabled")
    click(browser, "#send")


def creations(browser):
    return [url for url in browser.requested if url.endswith("/api/uploads")]


def check_arrived(browser, home, photo):
    """The capture is there, and its file is the whole one."""
    browser.wait_for("document.querySelector('#jobs .badge')?.innerText === 'waiting'", 120)
    (folder,) = [path for path in (home / "received").iterdir() if path.suffix != ".tus"]
    (received,) = folder.iterdir()
    assert hashlib.sha256(received.read_bytes()).digest() == hashlib.sha256(photo.read_bytes()).digest()


def test_an_upload_goes_on_by_itself_after_its_server_was_killed(tmp_path, photo):
    home = tmp_path / "home"
    with contextlib.ExitStack() as rest:
        with live(home, "--no-daemon") as server:
            browser = rest.enter_context(open_browser(tmp_path / "profile"))
            visit(browser, server.origin)
            begin(browser, photo)
            server.process.kill()
            server.process.wait()
        browser.wait_for("document.getElementById('sent-text').innerText.includes('broke off')")
        browser.requested.clear()
        slow_down(browser, FAST)
        with live(home, "--no-daemon", port=server.port):
            check_arrived(browser, home, photo)
            assert creations(browser) == []


def test_an_upload_goes_on_where_it_was_after_its_tab_was_closed_and_the_file_chosen_again(tmp_path, photo):
    home, profile = tmp_path / "home", tmp_path / "profile"
    with live(home, "--no-daemon") as server, open_browser(profile):
        with another_tab(profile) as first:
            visit(first, server.origin)
            begin(first, photo)
        with another_tab(profile) as second:
            visit(second, server.origin)
            slow_down(second, SLOW)
            choose_and_send(second, photo)
            second.wait_for(f"{SENT} > 0")
            assert second.evaluate(SENT) > 0.2
            slow_down(second, FAST)
            check_arrived(second, home, photo)
            assert creations(second) == []
