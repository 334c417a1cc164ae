"""`view.html` as a file and in a browser."""

import base64
import dataclasses
import gzip
import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb, write_glb
from ds3d_pipeline.formats.splat_ply import write_splat_ply
from ds3d_pipeline.poses.report import MetricScale, SceneScale
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_failure
from ds3d_pipeline.report.view_page import MAX_FACES, MAX_GAUSSIANS, write_view
from ds3d_pipeline.report.view_scene import describe_scene
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline_tests.browser import open_browser
from ds3d_pipeline_tests.finished import make_bundles, publish_finished, random_gaussians
from ds3d_pipeline_tests.mesh.shapes import grid_mesh
from ds3d_pipeline_tests.splats.spz import read_spz

MAX_BYTES = 5_000_000
CARRIED = re.compile(r'<script type="text/plain" class="carried" data-kind="(\w+)">(.*?)</script>')


@dataclasses.dataclass
class Named:
    """As much of the metrics as the page needs."""

    capture: str = "named"
    scale: SceneScale = "arbitrary"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return publish_finished(tmp_path_factory.mktemp("viewed"))


def page_of(folder):
    return (folder / "view.html").read_text(encoding="utf-8")


def carried(folder):
    return {kind: base64.b64decode(data) for kind, data in CARRIED.findall(page_of(folder))}


def test_the_metrics_list_the_page_as_it_is(folder):
    listed = json.loads((folder / "metrics.json").read_text())["files"]["view.html"]
    data = (folder / "view.html").read_bytes()
    assert listed == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_the_report_links_to_it(folder):
    assert '<a href="view.html">' in (folder / "report.html").read_text(encoding="utf-8")


def test_a_capture_without_3d_has_no_such_page(tmp_path):
    bundles = make_bundles(tmp_path / "b")
    kept = {stage: bundles[stage] for stage in ("capture", "keyframes", "poses")}
    tried = (Attempt(backend="patchmatch", outcome="failed", reason="Nothing.", seconds=1),)
    story = Story(capture="no", mode="balanced", failures=(("depth_maps", tried),))
    metrics, failed = publish_failure(story, kept, tmp_path / "out")
    assert not (failed / "view.html").exists()
    assert "view.html" not in metrics["files"]
    assert "view.html" not in (failed / "report.html").read_text(encoding="utf-8")


def test_the_policy_allows_the_one_script_and_no_network(folder):
    page = page_of(folder)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}' blob:"
    assert "connect-src" not in rules
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_it_carries_the_mesh_and_the_splat_in_their_frames(folder, tmp_path):
    files = carried(folder)
    (tmp_path / "light.glb").write_bytes(gzip.decompress(files["mesh"]))
    (tmp_path / "light.spz").write_bytes(files["splat"])
    light, _ = read_glb(tmp_path / "light.glb")
    whole, _ = read_glb(folder / "model.glb")
    assert np.allclose(light.vertices_in_world.min(axis=0), whole.vertices_in_world.min(axis=0), atol=1e-3)
    assert np.allclose(light.vertices_in_world.max(axis=0), whole.vertices_in_world.max(axis=0), atol=1e-3)
    means = random_gaussians(300).means
    assert np.allclose(read_spz(tmp_path / "light.spz").means, means, atol=1e-3)


def test_the_view_begins_where_a_photo_was_taken_and_looks_at_what_it_shows(folder):
    model = read_reconstruction(folder / "sparse/0")
    start = describe_scene(model, "m").start
    flip = np.array([1.0, -1.0, -1.0])
    best = max(model.views, key=lambda view: len(view.point_ids))
    assert np.allclose(start.position * flip, best.centre_in_world)
    x, y, z = best.cam_from_world[:3, :3] @ (start.target * flip) + best.cam_from_world[:3, 3]
    assert (x, y) == pytest.approx((0, 0), abs=1e-9)
    seen = model.points_in_world[best.point_ids] @ best.cam_from_world[2, :3] + best.cam_from_world[2, 3]
    assert seen.min() <= z <= seen.max()


def test_a_model_whose_photos_see_no_point_has_no_start(folder):
    model = read_reconstruction(folder / "sparse/0")
    blind = [dataclasses.replace(view, point_ids=np.zeros(0, np.int32)) for view in model.views]
    assert describe_scene(dataclasses.replace(model, views=tuple(blind)), None).start is None
    assert describe_scene(None, None).start is None


def test_a_name_is_text_and_nothing_else(folder, tmp_path):
    named = Named("</title><img src=x onerror=alert(1)>")
    assert write_view(tmp_path / "view.html", named, folder, tmp_path)
    text = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert "<img" not in text
    assert text.count("&lt;/title&gt;&lt;img src=x onerror=alert(1)&gt;") == 2


@pytest.mark.slow
def test_the_page_is_below_5_mb_however_badly_its_files_compress(folder, tmp_path):
    random = np.random.default_rng(0)
    corners = random.normal(size=(6 * MAX_FACES, 3)).astype(np.float32)
    soup = Mesh(
        vertices_in_world=corners,
        faces=np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
        vertex_colors=random.integers(0, 256, (len(corners), 3), dtype=np.uint8),
    )
    write_glb(tmp_path / "model.glb", soup)
    write_splat_ply(tmp_path / "model.splat.ply", random_gaussians(2 * MAX_GAUSSIANS))
    shutil.copytree(folder / "sparse", tmp_path / "sparse")
    assert write_view(tmp_path / "view.html", Named(), tmp_path, tmp_path)
    assert (tmp_path / "view.html").stat().st_size < MAX_BYTES


@pytest.mark.browser
def test_mesh_and_splat_are_shown_from_a_file_under_one_camera_and_nothing_is_loaded(folder, tmp_path):
    in_sight = grid_mesh()
    in_sight = dataclasses.replace(
        in_sight, vertices_in_world=in_sight.vertices_in_world + np.float32([0, 0, 3])
    )
    write_glb(tmp_path / "model.glb", in_sight)
    shutil.copy(folder / "model.splat.ply", tmp_path)
    shutil.copytree(folder / "sparse", tmp_path / "sparse")
    assert write_view(tmp_path / "view.html", Named(), tmp_path, tmp_path)
    with open_browser(tmp_path / "profile") as browser:
        browser.open((tmp_path / "view.html").as_uri(), size_wh=(900, 700))
        for kind in ("splat", "mesh"):
            browser.evaluate(f"document.querySelector('#tabs [data-kind={kind}]').click()")
            browser.wait_for(f"document.getElementById('view').dataset.shown === '{kind}'")
            browser.screenshot(tmp_path / f"{kind}.png")
            with Image.open(tmp_path / f"{kind}.png") as picture:
                assert len(picture.convert("RGB").resize((90, 70)).getcolors(6300)) > 200, kind
        assert browser.evaluate("document.documentElement.scrollWidth") == 900
        assert {url.split(":")[0] for url in browser.requested} <= {"file", "data", "blob"}


@pytest.mark.browser
def test_two_clicks_measure_what_lies_between_them(folder, tmp_path):
    in_sight = grid_mesh()
    in_sight = dataclasses.replace(
        in_sight, vertices_in_world=in_sight.vertices_in_world + np.float32([0, 0, 3])
    )
    write_glb(tmp_path / "model.glb", in_sight)
    shutil.copytree(folder / "sparse", tmp_path / "sparse")
    metrics = Named(scale=MetricScale(unit="m", origin="gps"))
    assert write_view(tmp_path / "view.html", metrics, tmp_path, tmp_path)
    clicks = [(450, 300), (510, 380)]
    with open_browser(tmp_path / "profile") as browser:
        browser.open((tmp_path / "view.html").as_uri(), size_wh=(900, 700))
        browser.wait_for("document.getElementById('view').dataset.shown === 'mesh'")
        top = browser.evaluate("document.getElementById('view').getBoundingClientRect().top")
        browser.evaluate("document.querySelector('.view-buttons [aria-pressed]').click()")
        for x, y in clicks:
            for kind in ("mousePressed", "mouseReleased"):
                browser.call(
                    "Input.dispatchMouseEvent", type=kind, x=x, y=top + y, button="left", clickCount=1
                )
        browser.wait_for("/[0-9]/.test(document.querySelector('.view-note').innerText)")
        shown = browser.evaluate("document.querySelector('.view-note').innerText")
        height = 700 - top
    start = describe_scene(read_reconstruction(folder / "sparse/0"), "m").start
    first, second = (hit_of(start, x, y, 900, height) for x, y in clicks)
    number, unit = shown.split()
    length_m = float(number) * {"m": 1, "cm": 0.01}[unit]
    assert length_m == pytest.approx(np.linalg.norm(first - second), rel=0.02)


def hit_of(start, x, y, width, height):
    """Where the line through a pixel meets the plane that lies 3 in front of the world's origin."""
    position, target = np.array(start.position), np.array(start.target)
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, (0, 1, 0)) / np.linalg.norm(np.cross(forward, (0, 1, 0)))
    up = np.cross(right, forward)
    half = np.tan(np.radians(start.fov_deg) / 2) * max(1, start.aspect / (width / height))
    across, above = 2 * x / width - 1, 1 - 2 * y / height
    ray = forward + half * (across * width / height * right + above * up)
    return position + ray * (-3 - position[2]) / ray[2]
