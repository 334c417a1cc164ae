"""The viewer in a browser, and as a command that Ctrl-C ends."""

import re
import shutil
import signal
import socket
import time
import urllib.request

import numpy as np
import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.geometry.cameras import intrinsics, project
from ds3d_pipeline.geometry.transforms import invert_rigid, rigid, rotation_from_quat_wxyz
from ds3d_pipeline.scene import View
from ds3d_pipeline.viewer.finished import read_exhibit
from ds3d_pipeline.viewer.server import (
    covariances,
    find_port,
    fov_that_shows,
    start_viewer,
    stop_viewer,
)
from ds3d_pipeline.viewer.stand import find_stand
from ds3d_pipeline_tests.browser import open_browser
from ds3d_pipeline_tests.captures import run_ds3d, start_ds3d
from ds3d_pipeline_tests.finished import publish_finished, random_gaussians
from ds3d_pipeline_tests.ports import free_port

FAILED, UNUSABLE = 1, 2
SIZE_WH = (1000, 700)
LOOK = "[...document.querySelectorAll('button')].find(b => b.textContent.includes('{}'))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return publish_finished(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def shown(folder):
    """An exhibit and its running server."""
    exhibit = read_exhibit(folder)
    server = start_viewer(exhibit, 8300)
    yield exhibit, server
    stop_viewer(server)


def wait_until(is_true, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def the_client(server):
    wait_until(lambda: len(server.get_clients()) == 1)
    return next(iter(server.get_clients().values()))


def stands_at(client, view):
    return np.allclose(client.camera.position, view.centre_in_world, atol=1e-4)


def pixel_of(client, point_in_world):
    """Where the browser draws a point."""
    camera = client.camera
    world_from_cam = rigid(rotation_from_quat_wxyz(camera.wxyz), camera.position)
    focal_px = SIZE_WH[1] / 2 / np.tan(camera.fov / 2)
    uv, _ = project(intrinsics(focal_px, SIZE_WH), invert_rigid(world_from_cam), point_in_world)
    return uv


@pytest.mark.browser
def test_layers_cameras_and_the_way_back_in_a_browser(shown, tmp_path):
    exhibit, server = shown
    with open_browser(tmp_path / "profile") as browser:
        browser.open(f"http://127.0.0.1:{server.get_port()}", size_wh=SIZE_WH)
        browser.wait_for(f"!!{LOOK.format('Look through')}")
        client = the_client(server)
        words = browser.evaluate("document.body.innerText")
        for label in ("wall", "Splat (300)", "Mesh", "Points (500)", "Cameras (5)"):
            assert label in words
        stand = find_stand(exhibit)
        wait_until(lambda: np.allclose(client.camera.position, stand.position, atol=1e-3))

        browser.evaluate(f"{LOOK.format('Look through')}.click()")
        wait_until(lambda: stands_at(client, exhibit.reconstruction.views[0]))
        time.sleep(1)
        browser.screenshot(tmp_path / "through.png")
        browser.evaluate(f"{LOOK.format('Back to')}.click()")
        wait_until(lambda: np.allclose(client.camera.position, stand.position, atol=1e-3))

        view = exhibit.reconstruction.views[-1]
        ahead = invert_rigid(view.cam_from_world)[:3, 2] * 0.045 * stand.distance
        time.sleep(1)
        browser.screenshot(tmp_path / "whole.png")
        u, v = pixel_of(client, view.centre_in_world + ahead)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            browser.call(
                "Input.dispatchMouseEvent", type=kind, x=float(u), y=float(v), button="left", clickCount=1
            )
            time.sleep(0.5)
        wait_until(lambda: stands_at(client, view))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_serves_until_ctrl_c(folder, tmp_path, number):
    process = start_ds3d(tmp_path / "home", "view", folder, "--port", free_port(), "--no-open")
    try:
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", line).group()
        assert line.startswith("Viewing wall at ")
        assert "press Ctrl-C to stop" in line
        with urllib.request.urlopen(url) as page:
            assert page.status == 200
            assert b"<html" in page.read().lower()
    finally:
        process.send_signal(number)
        rest, stderr = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest == ""
    assert stderr == ""


def test_a_port_in_use_is_passed_over(shown, folder):
    _, first = shown
    second = start_viewer(read_exhibit(folder), first.get_port())
    try:
        assert second.get_port() != first.get_port()
    finally:
        stop_viewer(second)


def test_the_last_port_in_use_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65_535))
        taken.listen()
        with pytest.raises(InputError, match="Port 65535 and those after it are in use"):
            find_port(65_535)


def test_an_unknown_capture_is_one_sentence(tmp_path):
    done = run_ds3d(tmp_path / "home", "view", "nowhere", "--output", tmp_path, "--no-open")
    assert done.returncode == UNUSABLE
    (line,) = done.stderr.splitlines()
    assert "nowhere" in line


def test_a_damaged_file_is_one_sentence(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.glb").write_bytes(b"glTF")
    done = run_ds3d(tmp_path / "home", "view", copy, "--no-open")
    assert done.returncode == FAILED
    (line,) = done.stderr.splitlines()
    assert "model.glb" in line


def test_covariances_are_the_squared_axes_turned():
    splat = random_gaussians(20)
    found = np.linalg.eigvalsh(covariances(splat))
    assert found == pytest.approx(np.sort(np.exp(2 * splat.log_scales.astype(float)), axis=1), rel=1e-6)


@pytest.mark.parametrize(("aspect", "limit"), [(2.0, "height"), (0.5, "width")])
def test_the_window_shows_the_whole_photo(aspect, limit):
    view = View(
        image="a.jpg",
        image_size_wh=(400, 300),
        K=intrinsics(350.0, (400, 300)),
        cam_from_world=np.eye(4),
        point_ids=np.zeros(0, np.int32),
    )
    tangent = np.tan(fov_that_shows(view, aspect) / 2)
    seen_wh = 2 * 350 * tangent * aspect, 2 * 350 * tangent
    assert seen_wh[0] >= 400 - 1e-6
    assert seen_wh[1] >= 300 - 1e-6
    assert seen_wh[1 if limit == "height" else 0] == pytest.approx(300 if limit == "height" else 400)
