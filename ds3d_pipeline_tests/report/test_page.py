"""The report as a file and in a browser."""

import hashlib
import html
import json
import re
from html.parser import HTMLParser

import pytest

from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture, publish_failure
from ds3d_pipeline.report.page import _with_code
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline_tests.browser import open_browser
from ds3d_pipeline_tests.finished import make_bundles, noise_picture

MAX_BYTES = 5_000_000
ODD_NAME = "<script>alert(1)</script>\"'&.jpg"
FELL_BACK = {
    "depth_maps": (
        Attempt(backend="patchmatch", outcome="failed", reason="Stereo found <nothing>.", seconds=9.0),
        Attempt(backend="interpolation", outcome="ok", seconds=1.0),
    )
}
FAILED = (
    "poses",
    (Attempt(backend="pycolmap", outcome="failed", reason="Only 2 of 5 registered.", seconds=4),),
)


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def ok(tmp_path):
    publish_capture(Story(capture="wall", mode="balanced"), make_bundles(tmp_path / "b"), tmp_path / "out")
    return tmp_path / "out" / "wall"


@pytest.fixture
def degraded(tmp_path):
    names = (*(f"IMG_{number}.jpg" for number in range(5)), ODD_NAME)
    bundles = make_bundles(tmp_path / "b", names=names, lost=1, attempts=FELL_BACK)
    publish_capture(Story(capture="odd", mode="balanced"), bundles, tmp_path / "out")
    return tmp_path / "out" / "odd"


@pytest.fixture
def failed(tmp_path):
    bundles = make_bundles(tmp_path / "b")
    kept = {stage: bundles[stage] for stage in ("capture", "keyframes")}
    _, folder = publish_failure(
        Story(capture="no", mode="balanced", failures=(FAILED,)), kept, tmp_path / "out"
    )
    return folder


def read(folder):
    """The page's source, and its words without tags and pictures."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    words = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.S)
    return text, re.sub(r"\s+", " ", html.unescape(words))


def test_an_ok_capture_tells_what_came_out_and_how_good_it_is(ok):
    text, words = read(ok)
    assert "came out well" in words
    for number in ("5 of 5", "0.40 px", "80%", "722", "24.5 dB", "model.glb", "14 s in total"):
        assert number in words
    assert text.count('<img class="plot"') == 1
    assert "IMG_2.jpg" in words
    assert "No backend failed." in words
    assert text.count('class="wedge"') == 5


def test_metrics_list_the_report_as_it_is(ok):
    told = json.loads((ok / "metrics.json").read_text())
    data = (ok / "report.html").read_bytes()
    assert told["files"]["report.html"] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_a_degraded_capture_tells_why_and_what_was_used_instead(degraded):
    text, words = read(degraded)
    assert "Usable, with limitations." in words
    assert "Stereo found <nothing>." in words
    assert "Multi-view stereo failed → interpolation between sparse points" in words
    assert "1 of 6 keyframes not aligned" in words
    assert "(gaps in the line)" in words
    assert text.count('class="wedge"') == 5


def test_a_backend_that_was_never_tried_is_not_among_the_tried_ones(tmp_path):
    missing = Attempt(backend="monocular", outcome="skipped", reason="There is no model.")
    attempts = {"depth_maps": (missing, Attempt(backend="patchmatch", outcome="ok", seconds=1.0))}
    bundles = make_bundles(tmp_path / "b", attempts=attempts)
    publish_capture(Story(capture="wall", mode="balanced"), bundles, tmp_path / "out")
    _, words = read(tmp_path / "out" / "wall")
    tried, unused = words.split("What was tried")[1].split("Not used")
    assert "No backend failed." in tried
    assert "Depth maps The learned depth model There is no model." in unused


def test_odd_names_are_text_and_nothing_else(degraded):
    text, words = read(degraded)
    assert ODD_NAME in words
    assert "script" not in {tag for tag, _ in Tags(text).found}


def test_a_failed_capture_has_a_page_with_its_reason_and_the_stages_never_reached(failed):
    text, words = read(failed)
    assert "The reconstruction failed." in words
    assert "The stage Camera positions failed" in words
    assert "Camera positions: Only 2 of 5 registered." in words
    assert words.count("not reached") == 4
    assert 'class="wedge"' not in text
    assert json.loads((failed / "metrics.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("kind", ["ok", "degraded", "failed"])
def test_the_page_refers_to_nothing_but_files_beside_it(kind, request):
    folder = request.getfixturevalue(kind)
    text, _ = read(folder)
    for tag, attributes in Tags(text).found:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        assert not [name for name in attributes if name.startswith("on")]
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/")
        if "href" in attributes:
            assert (folder / attributes["href"]).exists()
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.slow
def test_the_page_stays_small_whatever_the_pictures_weigh(tmp_path):
    bundles = make_bundles(tmp_path / "b")
    for number in range(40):
        noise_picture(bundles["splat"].folder / "heldout" / f"{number:04d}.jpg", (2000, 1500))
    (bundles["splat"].folder / "previews").mkdir()
    for number in range(9):
        noise_picture(bundles["splat"].folder / "previews" / f"{100 * number:04d}.jpg", (2000, 1500))
    for stage, name in (("mesh", "turntable.png"), ("poses", "matches.png"), ("splat", "preview.png")):
        noise_picture(bundles[stage].folder / name, (2000, 1500))
    publish_capture(Story(capture="big", mode="quality"), bundles, tmp_path / "out")
    page = tmp_path / "out" / "big" / "report.html"
    assert page.stat().st_size < MAX_BYTES
    assert page.read_text().count("<img") == 17


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["ok", "degraded", "failed"])
def test_in_a_browser_in_both_themes_and_on_a_phone(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    with open_browser(tmp_path / "profile") as browser:
        for scheme, size_wh in (("light", (1100, 900)), ("dark", (1100, 900)), ("light", (340, 700))):
            browser.open((folder / "report.html").as_uri(), size_wh=size_wh, scheme=scheme)
            background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
            levels = [int(level) for level in re.findall(r"\d+", background)]
            assert (min(levels) > 200) if scheme == "light" else (max(levels) < 60)
            assert browser.evaluate("document.documentElement.scrollWidth") == size_wh[0]
            assert browser.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            browser.screenshot(tmp_path / f"{kind}-{scheme}-{size_wh[0]}.png", whole=True)
        assert {url.split(":")[0] for url in browser.requested} <= {"file", "data"}


def test_what_is_between_backticks_is_code_and_stays_text():
    shown = _with_code("Use `--mode <quality>` & go on")
    assert shown == "Use <code>--mode &lt;quality&gt;</code> &amp; go on"
