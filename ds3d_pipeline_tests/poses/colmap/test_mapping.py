"""Models that overlap become one; the best is that with the most images."""

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.geometry.alignment import align_sim3
from ds3d_pipeline.poses.colmap.mapping import add_images, merge, pipeline_options, size_of
from ds3d_pipeline_tests.poses.models import centres, make_model

FRAMES = 10


def part(model, kept):
    """The model with the frames of these places in order only, as the mapper leaves it."""
    part = pycolmap.Reconstruction(model)
    for place, frame_id in enumerate(sorted(model.reg_frame_ids())):
        if place not in kept:
            part.deregister_frame(frame_id)
    part.tear_down()
    return part


@pytest.fixture
def whole(tmp_path):
    with pycolmap.Database.open(tmp_path / "database.db") as database:
        return make_model(frames=FRAMES, points=200, database=database)


def moved(model):
    turn = Rotation.from_euler("xyz", [20, -50, 110], degrees=True).as_matrix()
    model.transform(pycolmap.Sim3d(3.0, pycolmap.Rotation3d(turn), np.array([4.0, -1.0, 2.0])))
    return model


def test_overlapping_models_are_merged(whole, tmp_path):
    first, second = part(whole, range(7)), moved(part(whole, range(4, FRAMES)))
    options = pipeline_options(seed=0, loose=False, fixed_intrinsics=False)
    merged = merge([second, first], tmp_path / "database.db", tmp_path, tmp_path / "scratch", options)
    assert merged is not None
    assert merged.num_reg_images() == FRAMES
    found, truth = centres(merged), centres(whole)
    np.testing.assert_allclose(align_sim3(found, truth).apply(found), truth, atol=1e-2)
    merged.update_point_3d_errors()
    assert merged.compute_mean_reprojection_error() < 0.5
    seen = {image.name for image in merged.images.values() if image.num_points3D > 20}
    assert len(seen) == FRAMES


def test_models_that_share_too_few_images_stay_apart(whole, tmp_path):
    first, second = part(whole, range(6)), moved(part(whole, range(5, FRAMES)))
    before = centres(second)
    assert not add_images(first, second)
    assert first.num_reg_images() == 6
    np.testing.assert_array_equal(centres(second), before)


def test_models_that_contradict_each_other_stay_apart(whole):
    first, second = part(whole, range(7)), part(whole, range(4, FRAMES))
    random = np.random.default_rng(0)
    for frame_id in second.reg_frame_ids():
        turn = Rotation.random(random_state=random).as_matrix()
        second.frames[frame_id].rig_from_world = pycolmap.Rigid3d(
            pycolmap.Rotation3d(turn), random.normal(0, 5, 3)
        )
    assert not add_images(first, second)
    assert first.num_reg_images() == 7


def test_registered_images_count_before_points(whole):
    small = part(whole, range(4))
    assert max([None, small, whole], key=size_of) is whole
    assert size_of(None) == (0, 0) < size_of(small)
