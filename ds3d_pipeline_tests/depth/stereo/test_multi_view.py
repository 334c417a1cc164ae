"""Maps against exact depth."""

import dataclasses

import numpy as np
import pytest

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stereo.consistency import filtered_map
from ds3d_pipeline.depth.stereo.levels import make_level
from ds3d_pipeline.depth.stereo.multi_view import Stereo, pyramid_levels
from ds3d_pipeline.depth.stereo.patchmatch import Planes, match_view, view_range
from ds3d_pipeline.depth.stereo.pyramid import GreyPhotos
from ds3d_pipeline_tests.depth.scenes import film

pytestmark = pytest.mark.slow

OPTIONS = DepthOptions(max_side_px=320, source_views=4)


@pytest.fixture(scope="module", params=["tabletop", "relief"])
def filmed(request, tmp_path_factory):
    return film(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def maps(filmed, tmp_path_factory):
    told = []
    stereo = Stereo(filmed.model, filmed.images, OPTIONS, tmp_path_factory.mktemp("scratch"))
    found = [one.map for one in stereo.maps(lambda fraction, message: told.append(fraction))]
    return found, told


def test_most_pixels_have_a_depth_within_one_percent(filmed, maps):
    for found, truth in zip(maps[0], filmed.depths, strict=True):
        known = found.certain().depth > 0
        error = np.abs(found.depth / np.where(truth > 0, truth, 1) - 1)
        assert known.mean() > 0.6
        assert (error[known] < 0.01).mean() > 0.95
        assert np.median(error[known]) < 0.003


def test_normals_look_at_the_camera_and_lie_across_the_surface(filmed, maps):
    found, truth = maps[0][2], filmed.depths[2]
    known = found.certain().depth > 0
    assert (found.normals[known][:, 2] < 0.2).all()
    np.testing.assert_allclose(np.linalg.norm(found.normals[known], axis=-1), 1, atol=1e-4)
    v, u = np.indices(truth.shape) + 0.5
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(found.K).T
    places = rays * truth[..., None]
    true_normals = np.cross(np.gradient(places, axis=1), np.gradient(places, axis=0))
    true_normals /= np.linalg.norm(true_normals, axis=-1, keepdims=True)
    cosine = np.abs((true_normals * found.normals).sum(-1))[known]
    assert np.median(cosine) > 0.9


def test_confidence_is_known_where_depth_is(maps):
    for found in maps[0]:
        assert ((found.confidence > 0) == (found.depth > 0)).all()
        assert found.confidence.max() <= 1


def test_progress_is_told_for_every_map(maps):
    found, told = maps
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    assert len(told) == 3 * len(found)


def true_planes(filmed):
    """The true planes of view 2, its level with those of the five others, and its grey photo."""
    views, found = filmed.model.views, []
    for view, depth in zip(views, filmed.depths, strict=True):
        planes = np.zeros((*depth.shape, 3), np.float32)
        planes[..., 0] = 1 / np.where(depth > 0, depth, np.inf)
        found.append(Planes(planes=planes, cost=np.full(depth.shape, 0.1, np.float32), K=view.K))
    photos = GreyPhotos(filmed.images, 320, 1)
    levels = [photos.pyramid(view)[0] for view in views]
    order = [2, 0, 1, 3, 4, 5]
    level = make_level(
        [views[i] for i in order],
        [levels[i] for i in order],
        view_range(views[2], filmed.model),
        [found[i].planes for i in order[1:]],
    )
    return found[2], level, levels[2].pixels


@pytest.mark.parametrize("change", [0.8, 1.2])
def test_planted_wrong_depths_do_not_pass_the_filter(filmed, change):
    """True planes everywhere but in a square: the square goes, its surroundings stay."""
    planes, level, grey = true_planes(filmed)
    wrong = planes.planes.copy()
    wrong[100:140, 140:180, 0] *= change
    planted = dataclasses.replace(planes, planes=wrong)
    told = filtered_map("x", planted, level, grey, OPTIONS.consistency).map
    kept = told.certain().depth > 0
    assert kept[100:140, 140:180].mean() < 0.05
    # It stays in the map as uncertain, since it was matched well; not so where the match is poor.
    assert (told.depth[100:140, 140:180] > 0).mean() > 0.95
    poor = dataclasses.replace(planted, cost=np.full_like(planted.cost, 0.8))
    told = filtered_map("x", poor, level, grey, OPTIONS.consistency).map
    assert (told.depth[100:140, 140:180] > 0).mean() < 0.05
    assert (told.certain().normals[100:140, 140:180] == 0).all(axis=-1).mean() > 0.95
    outside = np.ones_like(kept)
    outside[95:145, 135:185] = False
    assert kept[outside].mean() > 0.8


def with_planes(level, planes):
    return dataclasses.replace(level, images=level.images._replace(planes=planes))


def test_depth_that_one_view_supports_is_uncertain(filmed):
    """All other sources but one are wrong, and the match is not sure enough for one."""
    planes, level, grey = true_planes(filmed)
    others = level.images.planes.copy()
    others[1:, ..., 0] *= 1.3
    unsure = dataclasses.replace(planes, cost=np.full_like(planes.cost, 0.4))
    told = filtered_map("x", unsure, with_planes(level, others), grey, OPTIONS.consistency)
    assert (told.map.certain().depth > 0).mean() < 0.1
    assert (told.map.supported().depth > 0).mean() > 0.6
    others[0, ..., 0] *= 1.3
    told = filtered_map("x", unsure, with_planes(level, others), grey, OPTIONS.consistency)
    assert (told.map.supported().depth > 0).mean() < 0.1


def test_one_view_alone_is_refused(filmed):
    with pytest.raises(ValueError, match="at least two views"):
        match_view(filmed.model.views[:1], [()], filmed.model)


@pytest.mark.parametrize(("side", "levels"), [(150, 1), (380, 2), (768, 3), (1600, 4)])
def test_levels_of_the_pyramid(side, levels):
    assert pyramid_levels(side) == levels
