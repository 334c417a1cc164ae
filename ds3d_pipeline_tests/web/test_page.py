"""The page in a real browser before a real server."""

import contextlib
import re
from dataclasses import replace

import dagster as dg
import numpy as np
import pytest
from PIL import Image
from upath import UPath

from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.formats.splat_ply import write_splat_ply
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_failure
from ds3d_pipeline.stages.plan import Plan
from ds3d_pipeline.storage.bundles import Attempt, publish
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.finished import make_bundles, noise_picture, random_gaussians
from ds3d_pipeline_tests.ports import free_port
from ds3d_pipeline_tests.web.homes import add_run, finish, order, register
from ds3d_pipeline_tests.web.pages import PHONE, click, drop, opened, pick, text
from ds3d_pipeline_tests.web.servers import serving

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=document.title='broken'>"
STATUS = dg.DagsterRunStatus


@pytest.fixture
def home(web_home):
    """A home with a finished capture, one that runs, and one that waits."""
    home = prepare_home()
    for capture in ("fox", "hare", "owl"):
        register(home, capture)
    order(home, "key-owl", "owl")
    finish(home)
    with dg.DagsterInstance.get() as instance:
        add_run(instance, "one", STATUS.SUCCESS, "fox")
        add_run(instance, "two", STATUS.STARTED, "hare", ds3d__upload=HOSTILE)
    return home


@pytest.fixture
def page(home, tmp_path):
    with serving(home.root) as server, opened(server, tmp_path) as browser:
        yield browser


def test_every_capture_has_a_card_with_its_state(page):
    for job, state in (("fox", "ok"), ("hare", "running"), ("owl", "waiting")):
        assert text(page, f"#job-{job} .badge") == state
    assert "does not run" in text(page, "#banner")


def test_html_in_a_name_is_text(page):
    page.wait_for("document.querySelector('#job-hare h3').innerText.length > 4")
    assert text(page, "#job-hare h3") == HOSTILE
    assert page.evaluate("document.querySelectorAll('h3 *, img[src=x], img[onerror]').length") == 0
    assert page.evaluate("document.title") == "ds3d"


@pytest.mark.parametrize("language", ["en", "de"])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_everything_can_be_hit(home, tmp_path, language):
    with serving(home.root) as server, opened(server, tmp_path, PHONE, language) as browser:
        assert browser.evaluate("document.documentElement.lang") == language
        click(browser, "#job-fox .open")
        browser.wait_for("document.querySelectorAll('#job-fox .files a').length > 3")
        assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        small = browser.evaluate(
            "[...document.querySelectorAll('button, a, #drop, .mode, input:not([type=radio]), summary')]"
            ".filter((node) => node.checkVisibility() && !node.closest('.unseen'))"
            ".filter((node) => node.getBoundingClientRect().height < 44).map((node) => node.outerHTML)"
        )
        assert small == []
        browser.screenshot(tmp_path / f"phone-{language}.png", whole=True)


def test_photos_that_were_picked_become_a_card(page, tmp_path):
    photos = [tmp_path / f"{number}.jpg" for number in range(3)]
    for photo in photos:
        noise_picture(photo, (640, 480))
    pick(page, photos)
    page.wait_for("!document.getElementById('send').disabled")
    assert "3 files" in text(page, "#summary")
    assert "3 photos are few" in text(page, "#warnings")
    page.evaluate("document.getElementById('name').value = 'My bowl'")
    click(page, "#send")
    page.wait_for("document.querySelector('#jobs h3').innerText === 'My bowl'")
    assert text(page, "#jobs .badge") == "waiting"
    assert text(page, "#summary").startswith("Nothing chosen")


def test_chosen_photos_are_shown_small_as_they_come_into_sight_and_freed_when_others_are_chosen(
    page, tmp_path
):
    photos = [tmp_path / f"{number:02d}.jpg" for number in range(60)]
    noise_picture(photos[0], (640, 480))
    for photo in photos[1:]:
        photo.write_bytes(photos[0].read_bytes())
    for name in ("a.heic", "broken.jpg"):
        (tmp_path / name).write_bytes(b"x" * 100)
    page.open(page.evaluate("location.href"), size_wh=PHONE)
    page.wait_for("document.body.dataset.ready === 'true'")
    pick(page, [tmp_path / "a.heic", tmp_path / "broken.jpg", *photos])
    page.wait_for("document.querySelectorAll('#thumbnails canvas').length >= 1")
    assert page.evaluate("document.querySelectorAll('#thumbnails li').length") == 48
    assert text(page, "#thumbnails li").strip() == "a.heic"
    assert page.evaluate("document.querySelector('#thumbnails canvas').height") == 96
    assert page.evaluate("document.querySelectorAll('#thumbnails canvas').length") < 12
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    page.screenshot(tmp_path / "thumbnails.png")
    page.evaluate("document.getElementById('thumbnails').lastElementChild.scrollIntoView()")
    page.wait_for(
        "document.getElementById('thumbnails').lastElementChild.firstElementChild.tagName === 'CANVAS'"
    )
    page.evaluate("window.earlier = [...document.querySelectorAll('#thumbnails canvas')]")
    pick(page, [tmp_path / "a.heic"])
    page.wait_for("document.querySelectorAll('#thumbnails li').length === 1")
    assert page.evaluate("earlier.reduce((sum, canvas) => sum + canvas.width, 0)") == 0


def test_a_folder_of_more_files_than_one_reading_gives_is_taken_whole(page, tmp_path):
    folder = tmp_path / "Bowl"
    (folder / "inner").mkdir(parents=True)
    for number in range(120):
        (folder / f"{number}.jpg").write_bytes(b"x" * 100)
    (folder / "inner" / "last.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("no photo")
    drop(page, [folder])
    page.wait_for("document.getElementById('summary').innerText.startsWith('121 files')")
    assert "notes.txt" in text(page, "#warnings")


def test_what_cannot_be_used_is_said_before_it_is_sent(page, tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"x")
    pick(page, [tmp_path / "song.mp3"])
    page.wait_for("document.querySelector('#warnings .problem')?.innerText.length > 0")
    assert page.evaluate("document.getElementById('send').disabled")


def test_what_the_server_refuses_is_said_in_its_words(page, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo at all")
    pick(page, [tmp_path / "broken.jpg"])
    page.wait_for("!document.getElementById('send').disabled")
    click(page, "#send")
    page.wait_for("document.querySelector('#warnings .problem')?.innerText.length > 0")
    assert "broken.jpg" in text(page, "#warnings")
    assert page.evaluate("document.getElementById('sending').hidden")


def test_a_large_file_is_paused_and_goes_on_where_it_was_after_the_server_was_restarted(home, tmp_path):
    port = free_port()
    video = tmp_path / "long.mp4"
    video.write_bytes(bytes(40_000_000))
    with contextlib.ExitStack() as rest:
        with serving(home.root, port=port) as server:
            browser = rest.enter_context(opened(server, tmp_path))
            conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
            browser.call("Network.emulateNetworkConditions", **conditions, uploadThroughput=8_000_000)
            pick(browser, [video])
            browser.wait_for("!document.getElementById('send').disabled")
            click(browser, "#send")
            browser.wait_for("document.getElementById('sent').value > 0.2")
            click(browser, "#pause")
            browser.wait_for("document.getElementById('sent-text').innerText.startsWith('Paused')")
        with serving(home.root, port=port):
            before = browser.evaluate("document.getElementById('sent').value")
            browser.requested.clear()
            click(browser, "#pause")
            browser.wait_for("document.getElementById('sending').hidden", 120)
            assert before < 1
            # Begun once, asked how far it was, and gone on with: no second upload.
            assert not [url for url in browser.requested if url.endswith("/api/uploads")]
            assert "long.mp4" in text(browser, "#warnings")


def test_the_page_says_that_the_server_is_gone_and_comes_back_by_itself(home, tmp_path):
    port = free_port()
    with contextlib.ExitStack() as rest:
        with serving(home.root, port=port) as server:
            browser = rest.enter_context(opened(server, tmp_path))
        browser.wait_for("document.getElementById('banner').innerText.includes('does not answer')")
        with serving(home.root, port=port):
            browser.wait_for("!document.getElementById('banner').innerText.includes('does not answer')")
            assert text(browser, "#job-hare .badge") == "running"


def test_a_script_within_the_page_would_be_refused_and_seen(web_home, tmp_path):
    home = prepare_home()
    with serving(home.root) as server, opened(server, tmp_path) as browser:
        browser.evaluate(
            "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
            " document.body.append(script)"
        )
        browser.wait_for("violations.length === 1")
        assert browser.evaluate("window.ran ?? null") is None
        assert browser.evaluate("violations.pop()") == "script-src-elem inline"


def test_deleting_asks_once_and_says_how_much_it_frees(page):
    click(page, "#job-fox .open")
    page.wait_for("document.querySelector('#job-fox .delete').innerText.includes('frees')")
    click(page, "#job-fox .delete")
    assert page.evaluate("document.activeElement.className") == "keep"
    click(page, "#job-fox .really")
    page.wait_for("!document.getElementById('job-fox')")


def test_mesh_and_splat_share_the_camera_and_ten_switches_do_not_grow_the_page(page, tmp_path):
    def show(kind):
        click(page, f"#job-fox .tabs [data-kind={kind}]")
        page.wait_for(f"document.querySelector('#job-fox .view').dataset.shown === '{kind}'")

    def heap():
        page.call("HeapProfiler.collectGarbage")
        return page.call("Runtime.getHeapUsage")["usedSize"]

    click(page, "#job-fox .open")
    page.wait_for("document.querySelectorAll('#job-fox .tabs button').length === 3")
    for kind in ("mesh", "splat") * 2:
        show(kind)
    page.evaluate("document.querySelector('#job-fox .view').scrollIntoView()")
    page.screenshot(tmp_path / "splat.png")
    with Image.open(tmp_path / "splat.png") as picture:
        assert len(picture.convert("RGB").resize((128, 90)).getcolors(12_000)) > 300
    before = heap()
    for kind in ("mesh", "splat") * 5:
        show(kind)
    assert heap() < before + 3_000_000
    assert page.evaluate("document.querySelectorAll('canvas').length") == 1
    assert page.count("WebGL2RenderingContext") == 1
    click(page, "#job-fox .open")
    page.wait_for("document.querySelector('#job-fox .result').hidden")
    page.wait_for("document.querySelectorAll('canvas').length === 0")
    assert [page.count(f"WebGL{name}") for name in ("2RenderingContext", "Texture", "Buffer")] == [0, 0, 0]
    hosts = {re.sub(r"^(\w+:)(//[^:/]*)?.*", r"\1\2", url) for url in page.requested}
    assert hosts <= {"http://127.0.0.1", "data:", "blob:"}


def test_what_was_right_of_the_camera_and_above_it_is_so_in_the_splat(home, tmp_path):
    place = home.root / "outputs" / "fox"
    splat = random_gaussians(400)
    means = np.random.default_rng(0).uniform((0.25, -0.45, 2.9), (0.45, -0.25, 3.1), (400, 3))
    red = np.tile((1.7, -1.7, -1.7), (400, 1, 1))
    splat = replace(splat, means=means.astype(np.float32), sh_coeffs=red.astype(np.float32))
    write_splat_ply(place / "model.splat.ply", replace(splat, opacity_logits=np.full(400, 4, np.float32)))
    with serving(home.root) as server, opened(server, tmp_path) as browser:
        click(browser, "#job-fox .open")
        browser.wait_for("document.querySelectorAll('#job-fox .tabs button').length === 3")
        click(browser, "#job-fox .tabs [data-kind=splat]")
        browser.wait_for("document.querySelector('#job-fox .view').dataset.shown === 'splat'")
        browser.evaluate("document.querySelector('#job-fox .view').scrollIntoView()")
        browser.screenshot(tmp_path / "splat.png")
        box = browser.evaluate(
            "(({ x, y, width, height }) => [x, y, x + width, y + height])"
            "(document.querySelector('#job-fox canvas').getBoundingClientRect())"
        )
    with Image.open(tmp_path / "splat.png") as picture:
        seen = np.asarray(picture.convert("RGB").crop(box), float)
    rows, columns = np.nonzero((seen[..., 0] > 120) & (seen[..., 1] < 60))
    assert len(rows) > 100
    assert rows.mean() < 0.5 * seen.shape[0]
    assert columns.mean() > 0.5 * seen.shape[1]


def test_a_tab_that_is_pressed_while_another_one_is_loading_is_the_one_that_shows(page):
    click(page, "#job-fox .open")
    page.wait_for("document.querySelectorAll('#job-fox .tabs button').length === 3")
    page.evaluate("document.querySelector('#job-fox .tabs [data-kind=splat]').click()")
    page.wait_for("document.querySelector('#job-fox .view').dataset.shown === 'splat'")
    assert page.evaluate("document.querySelector('#job-fox [aria-pressed=true]').dataset.kind") == "splat"


def test_what_finished_stages_have_made_can_be_looked_at_while_the_rest_goes_on(home, tmp_path):
    journal = run_journal(home, "two")
    for stage, bundle in make_bundles(tmp_path / "bundles").items():
        if stage in ("capture", "keyframes", "poses"):
            publish(bundle, UPath(home.storage) / stage / "hare")
            journal.begin(stage, Plan(rungs=("local",), skipped=()))
            journal.record(stage, Attempt(backend="local", outcome=Outcome.OK, seconds=1.0))
    with serving(home.root) as server, opened(server, tmp_path) as browser:
        browser.wait_for("document.querySelectorAll('#job-hare .tabs button').length === 2")
        click(browser, "#job-hare .tabs [data-kind=keyframes]")
        browser.wait_for("document.querySelector('#job-hare .picture').naturalWidth > 0")
        click(browser, "#job-hare .tabs [data-kind=poses]")
        browser.wait_for("document.querySelector('#job-hare .view').dataset.shown === 'poses'")
        assert browser.evaluate("document.querySelector('#job-hare .picture').hidden")
        browser.screenshot(tmp_path / "cameras.png", whole=True)


def test_a_failed_capture_says_why_first_and_shows_its_report(web_home, tmp_path):
    home = prepare_home()
    register(home, "elk")
    reason = "Only 2 of 5 photos could be aligned. Take more photos with more overlap."
    tried = (Attempt(backend="pycolmap", outcome="failed", reason=reason, seconds=4),)
    kept = {s: b for s, b in make_bundles(tmp_path / "b").items() if s in ("capture", "keyframes")}
    story = Story(capture="elk", mode="balanced", failures=(("poses", tried),))
    publish_failure(story, kept, home.root / "outputs")
    with dg.DagsterInstance.get() as instance:
        add_run(instance, "one", STATUS.FAILURE, "elk")
    with serving(home.root) as server, opened(server, tmp_path, PHONE) as browser:
        assert text(browser, "#job-elk .badge") == "failed"
        assert text(browser, "#job-elk .reasons li").endswith(reason)
        assert text(browser, "#job-elk .again") == "Try again"
        click(browser, "#job-elk .open")
        browser.wait_for("document.querySelector('#job-elk .report').src.includes('report.html')")
        browser.wait_for("!document.querySelector('#job-elk .report').hidden")
        assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        browser.screenshot(tmp_path / "failed.png", whole=True)


def test_stopping_leaves_nothing_of_what_was_sent(home, tmp_path):
    video = tmp_path / "long.mp4"
    video.write_bytes(bytes(40_000_000))
    with serving(home.root) as server, opened(server, tmp_path) as browser:
        conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
        browser.call("Network.emulateNetworkConditions", **conditions, uploadThroughput=4_000_000)
        pick(browser, [video])
        browser.wait_for("!document.getElementById('send').disabled")
        click(browser, "#send")
        browser.wait_for("document.getElementById('sent').value > 0.1")
        assert list((home.root / "received").glob("*.tus"))
        click(browser, "#stop")
        browser.wait_for("document.getElementById('sending').hidden")
        assert not list((home.root / "received").glob("*.tus"))
        assert "long.mp4" in text(browser, "#summary")
        assert text(browser, "#warnings") == ""
