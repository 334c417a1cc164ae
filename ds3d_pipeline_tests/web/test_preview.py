"""What the page draws of a finished capture."""

import os

import numpy as np
import pytest

from ds3d_pipeline.formats.splat_ply import write_splat_ply
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.web.preview import drop_previews, scene_preview, splat_preview
from ds3d_pipeline.web.published import Published
from ds3d_pipeline_tests.finished import publish_finished, random_gaussians
from ds3d_pipeline_tests.splats.spz import read_spz


@pytest.fixture
def home(web_home):
    return prepare_home()


@pytest.fixture
def published(tmp_path):
    folder = publish_finished(tmp_path / "finished")
    return Published(folder=folder, metrics={"files": {"model.splat.ply": {}}, "scale": "arbitrary"})


def test_the_splat_is_made_once_and_kept(home, published):
    made = splat_preview(home, "wall", published)
    assert np.allclose(read_spz(made).means, random_gaussians(300).means, atol=1e-3)
    before = made.stat()
    assert splat_preview(home, "wall", published) == made
    assert made.stat().st_mtime_ns == before.st_mtime_ns


def test_another_splat_takes_the_place_of_the_last(home, published):
    first = splat_preview(home, "wall", published)
    write_splat_ply(published.folder / "model.splat.ply", random_gaussians(20))
    os.utime(published.folder / "model.splat.ply", ns=(1, 1))
    second = splat_preview(home, "wall", published)
    assert len(read_spz(second).means) == 20
    assert list(second.parent.iterdir()) == [second]
    assert not first.exists()


def test_a_capture_without_a_splat_has_no_preview(home, published):
    (published.folder / "model.splat.ply").unlink()
    assert splat_preview(home, "wall", published) is None


def test_previews_go_with_their_capture(home, published):
    made = splat_preview(home, "wall", published)
    drop_previews(home, "wall")
    assert not made.parent.exists()


def test_lengths_have_a_unit_where_the_scale_is_known(published):
    assert scene_preview(published).unit is None
    known = Published(folder=published.folder, metrics={**published.metrics, "scale": {"unit": "m"}})
    assert scene_preview(known).unit == "m"
    assert scene_preview(known).start is not None
