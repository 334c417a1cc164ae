"""Guided capture: a real browser whose camera plays a film of ours, before a real server."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from ds3d_pipeline.storage.home import Home, prepare_home
from ds3d_pipeline.web.lan import certificate
from ds3d_pipeline_tests.browser import open_browser
from ds3d_pipeline_tests.web.pages import PHONE, READY, click, text, visit
from ds3d_pipeline_tests.web.servers import serving

pytestmark = pytest.mark.browser
SIZE_WH = (320, 240)
STEP_PX = 6
STEPS = 60
NAME = "box.example"
"""A host whose pages are no secure context by themselves, as those of a machine in one's own network."""
COUNT = r"Number(document.getElementById('guide-counts').innerText.match(/\d+/))"


def scene() -> np.ndarray:
    """Grey values with detail at every scale, wider than the camera sees."""
    random = np.random.default_rng(0)
    shape = (SIZE_WH[1], SIZE_WH[0] + STEP_PX * STEPS)
    scales = (1, 3, 9, 27)
    grey = sum(scale * ndimage.gaussian_filter(random.normal(size=shape), scale) for scale in scales)
    return np.clip(128 + 45 * grey / grey.std(), 0, 255)


def moving() -> list[np.ndarray]:
    """There and back again, so that a loop has no jump."""
    wide = scene()
    there = [wide[:, STEP_PX * step :][:, : SIZE_WH[0]] for step in range(STEPS)]
    return there + there[::-1]


def shaken(frames: list[np.ndarray], every: int = 15, long: int = 5) -> list[np.ndarray]:
    """Some of every so many are blurred along their way."""
    return [
        ndimage.uniform_filter1d(frame, 15, axis=1) if number % every >= every - long else frame
        for number, frame in enumerate(frames)
    ]


def film(path: Path, frames: list[np.ndarray]) -> Path:
    """Writes grey frames as a film that Chromium plays as its camera."""
    width, height = SIZE_WH
    plain = bytes([128]) * (width * height // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F15:1 Ip A1:1 C420\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + frame.astype(np.uint8).tobytes() + plain)
    return path


@pytest.fixture
def home(web_home: Path) -> Home:
    return prepare_home()


@contextlib.contextmanager
def filming(tmp_path, origin, frames, *, language="en"):
    """The page before a camera that sees these frames."""
    camera = film(tmp_path / "camera.y4m", frames) if frames else None
    flags = [
        "--use-fake-ui-for-media-stream",
        "--ignore-certificate-errors",
        f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
    ]
    if camera:
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with open_browser(tmp_path / "profile", *flags) as browser:
        visit(browser, origin, PHONE, language)
        yield browser
        assert browser.evaluate("violations") == []


def kept(browser, expression="photos.length"):
    return browser.evaluate(
        f"import('/page/guide_store.js').then((s) => s.keptPhotos()).then((photos) => {expression})"
    )


def counted(browser):
    """How many photos were kept and blurred moments left out, as the page says."""
    return [int(word.rstrip(".")) for word in text(browser, "#guide-counts").split() if word[0].isdigit()]


def score(browser, call, **pictures):
    """What a function of the scoring module gives for pictures of grey values."""
    data = {name: {"grey": p.ravel().round().tolist(), "width": p.shape[1]} for name, p in pictures.items()}
    return browser.evaluate(
        f"import('/page/guide_score.js').then((s) => {{ const p = {json.dumps(data)};"
        " for (const name in p) p[name].grey = Float32Array.from(p[name].grey);"
        f" const cells = (q) => s.cellsOf(q.grey, q.width); return {call}; }})"
    )


@pytest.fixture(scope="module")
def scoring(open_server, tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("scoring") / "profile") as browser:
        browser.open(open_server.origin)
        browser.wait_for(READY)
        yield browser


def sharpness(browser, picture):
    return score(browser, "s.sharpnessOf(p.it.grey, p.it.width).sharpness", it=picture)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_blur_along_one_axis_halves_the_sharpness_at_least(scoring, axis):
    sharp = scene()[:, : SIZE_WH[0]]
    blurred = ndimage.uniform_filter1d(sharp, 5, axis=axis)
    assert sharpness(scoring, blurred) < 0.5 * sharpness(scoring, sharp)


def test_the_same_sharpness_is_measured_at_a_quarter_of_the_contrast(scoring):
    sharp = scene()[:, : SIZE_WH[0]]
    faint = 128 + (sharp - 128) / 4
    assert sharpness(scoring, faint) == pytest.approx(sharpness(scoring, sharp), rel=0.1)


@pytest.mark.parametrize(("shift_px", "shared"), [(0, 1.0), (80, 0.75), (136, 0.575)])
def test_overlap_is_the_part_of_the_picture_that_both_show(scoring, shift_px, shared):
    wide = scene()
    first, second = wide[:, :320], wide[:, shift_px : shift_px + 320]
    assert score(scoring, "s.overlapOf(cells(p.a), cells(p.b))", a=first, b=second) == pytest.approx(
        shared, rel=1e-3
    )


def test_two_different_scenes_do_not_overlap_and_nor_does_a_turned_phone(scoring):
    here = scene()[:, :320]
    random = np.random.default_rng(1)
    elsewhere = 128 + 40 * ndimage.zoom(random.normal(size=(24, 32)), 10, order=1)
    assert score(scoring, "s.overlapOf(cells(p.a), cells(p.b))", a=here, b=elsewhere) < 0.3
    assert score(scoring, "s.overlapOf(cells(p.a), cells(p.b))", a=here, b=here.T.copy()) == 0


def test_a_step_around_the_object_lowers_the_overlap_though_nothing_shifts(scoring):
    middle = scene()[:, :320]
    rows, columns = np.indices(middle.shape)
    around = ndimage.map_coordinates(middle, (rows, 160 + (columns - 160) * 1.15), mode="nearest")
    shared = score(scoring, "s.overlapOf(cells(p.a), cells(p.b))", a=middle, b=around)
    assert 0.4 < shared < 0.82


def words(browser, looks):
    """What the judge says of looks, one after the other, each (sharpness, texture, shared)."""
    return browser.evaluate(
        "import('/page/guide_score.js').then((s) => { const judge = s.createJudge();"
        f" return {json.dumps(looks)}.map(([sharpness, texture, shared]) =>"
        " judge({ sharpness, texture, shared }).word); })"
    )


def test_the_judge_waits_for_the_camera_then_keeps_what_is_sharp_and_new(scoring):
    begin = [(0.5, 30, None)] * 8
    rest = [(0.5, 30, None), (0.5, 30, 0.95), (0.2, 30, 0.7), (0.5, 30, 0.7), (0.5, 2, 0.7), (0.5, 30, 0.3)]
    said = words(scoring, begin + rest)
    assert said == ["start"] * 8 + ["keep", "still", "blurred", "keep", "blank", "far"]


def test_a_camera_that_was_never_in_focus_is_named(scoring):
    assert words(scoring, [(0.15, 30, None)] * 12)[8:] == ["blurred"] * 4


def test_the_noise_of_a_blank_wall_does_not_make_a_sharp_picture_blurred(scoring):
    assert words(scoring, [(1.5, 2, None)] * 20 + [(0.45, 30, None)])[-1] == "keep"


def test_who_does_not_go_back_begins_anew_after_three_seconds(scoring):
    said = words(scoring, [(0.5, 30, None)] * 9 + [(0.5, 30, 0.2)] * 24)
    assert said[9:] == ["far"] * 23 + ["keep"]


def test_photos_keep_themselves_and_blurred_moments_are_named_and_what_is_kept_becomes_a_capture(
    home, tmp_path
):
    tls = certificate(home, [NAME])
    with serving(home.root, names=[NAME], tls=tls) as server:
        origin = f"https://{NAME}:{server.port}"
        with filming(tmp_path, origin, shaken(moving())) as browser:
            assert browser.evaluate("document.getElementById('guide-needs').hidden")
            click(browser, "#guide")
            browser.wait_for(
                f"{COUNT} >= 5 && !document.getElementById('guide-counts').innerText.endsWith(' 0.')"
            )
            browser.screenshot(tmp_path / "guide-phone.png")
            assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
            click(browser, "#guide-done")
            browser.wait_for("!document.getElementById('send').disabled")
            photos, blurred = counted(browser)
            assert blurred >= 1
            assert f"{photos} files" in text(browser, "#summary")
            assert kept(browser) == photos
            assert kept(browser, "photos.filter((photo) => photo.isBlurred).length") == 0
            click(browser, "#send")
            browser.wait_for("document.querySelector('#jobs .badge')?.innerText === 'waiting'")
            assert kept(browser) == 0
            (received,) = (home.root / "received").iterdir()
            names = sorted(path.name for path in received.iterdir())
            assert (names[0], len(names)) == ("photo-0001.jpg", photos)
            with Image.open(received / names[0]) as picture:
                assert picture.size == SIZE_WH


def test_a_camera_that_stands_still_gives_one_photo_and_a_hand_any_other(home, tmp_path):
    with serving(home.root) as server, filming(tmp_path, server.origin, moving()[:1] * 15) as browser:
        click(browser, "#guide")
        browser.wait_for("document.getElementById('guide-say').innerText.includes('Go on around')")
        assert counted(browser) == [1, 0]
        click(browser, "#guide-take")
        browser.wait_for("document.getElementById('guide-counts').innerText.startsWith('Photos kept: 2.')")


def test_blurred_photos_that_a_hand_took_are_named_before_they_are_sent(home, tmp_path):
    frames = [ndimage.gaussian_filter(frame, 6) for frame in moving()[:30]]
    with serving(home.root) as server, filming(tmp_path, server.origin, frames) as browser:
        click(browser, "#guide")
        browser.wait_for("document.getElementById('guide-say').innerText.includes('Blurred')")
        assert counted(browser)[0] == 0
        click(browser, "#guide-take")
        browser.wait_for("!document.getElementById('guide-done').disabled")
        click(browser, "#guide-done")
        browser.wait_for("document.getElementById('warnings').innerText.includes('photo-0001.jpg')")
        assert "Blurred, and taken by hand" in text(browser, "#warnings")


def test_a_reload_in_the_middle_loses_no_photo_and_offers_them_again(home, tmp_path):
    with serving(home.root) as server, filming(tmp_path, server.origin, moving(), language="de") as browser:
        click(browser, "#guide")
        browser.wait_for(f"{COUNT} >= 2")
        visit(browser, server.origin, PHONE, "de")
        photos = kept(browser)
        assert photos >= 2
        assert f"{photos} geführte Fotos" in text(browser, "#guide-kept-text")
        click(browser, "#guide-on")
        browser.wait_for(f"{COUNT} > {photos}")
        browser.evaluate("document.getElementById('guide-view').close()")
        browser.wait_for("!document.getElementById('guide-kept').hidden")
        click(browser, "#guide-forget")
        assert kept(browser) > photos
        click(browser, "#guide-forget")
        browser.wait_for("document.getElementById('guide-kept').hidden")
        assert kept(browser) == 0


def test_a_phone_that_took_its_camera_away_while_locked_goes_on_once_it_is_looked_at_again(home, tmp_path):
    with serving(home.root) as server, filming(tmp_path, server.origin, moving()) as browser:
        click(browser, "#guide")
        browser.wait_for(f"{COUNT} >= 1")
        browser.evaluate("document.getElementById('guide-video').srcObject.getTracks()[0].stop()")
        before = counted(browser)[0]
        browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        browser.wait_for(f"{COUNT} > {before} + 1")
        assert kept(browser) > before


def test_without_https_the_page_says_how_to_get_the_camera(home, tmp_path):
    with (
        serving(home.root, names=[NAME]) as server,
        filming(tmp_path, f"http://{NAME}:{server.port}", moving()[:2]) as browser,
    ):
        assert browser.evaluate("document.getElementById('guide').hidden")
        assert "ds3d serve --lan --https" in text(browser, "#guide-needs")


def test_where_there_is_no_camera_none_is_offered_and_one_that_was_pulled_out_is_said(home, tmp_path):
    with serving(home.root) as server, filming(tmp_path, server.origin, []) as browser:
        assert browser.evaluate("document.getElementById('guide').hidden")
        assert browser.evaluate("document.getElementById('guide-needs').hidden")
        click(browser, "#guide")
        browser.wait_for("document.getElementById('guide-say').innerText.includes('no camera here')")
        assert browser.evaluate("document.getElementById('guide-take').disabled")
