"""What the page costs while a person goes back and forth between mesh and splat."""

import time

import psutil
import pytest

from ds3d_pipeline.formats.splat_ply import write_splat_ply
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.finished import random_gaussians
from ds3d_pipeline_tests.web.homes import finish, register
from ds3d_pipeline_tests.web.pages import PHONE, click, opened
from ds3d_pipeline_tests.web.servers import serving

pytestmark = pytest.mark.browser
GAUSSIANS = 150_000
"""What the server gives the page at most: kept twice, they are about 20 MB."""


def browser_mb(browser):
    """What the browser's processes have for themselves, once its garbage is gone."""
    browser.call("HeapProfiler.collectGarbage")
    time.sleep(2)
    return sum(child.memory_full_info().uss for child in psutil.Process().children(recursive=True)) / 1e6


def switch(browser, times):
    for kind in ("mesh", "splat") * times:
        click(browser, f"#job-fox .tabs [data-kind={kind}]")
        browser.wait_for(f"document.querySelector('#job-fox .view').dataset.shown === '{kind}'")


def test_ten_switches_between_mesh_and_a_full_splat_do_not_grow_the_browser(web_home, tmp_path):
    home = prepare_home()
    register(home, "fox")
    write_splat_ply(finish(home) / "model.splat.ply", random_gaussians(GAUSSIANS))
    with serving(home.root) as server, opened(server, tmp_path, PHONE) as browser:
        # Its tools would keep a copy of every answer: 3 MB a switch, and nothing of the page's.
        browser.call("Network.disable")
        click(browser, "#job-fox .open")
        browser.wait_for("document.querySelectorAll('#job-fox .tabs button').length === 3")
        switch(browser, 2)
        before = browser_mb(browser)
        switch(browser, 5)
        assert browser_mb(browser) < before + 20
