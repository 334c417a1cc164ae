"""Given intrinsics at the keyframes' size, and what the last adjustment may estimate."""

import numpy as np
import pycolmap
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.geometry.alignment import align_sim3
from ds3d_pipeline.poses.colmap.intrinsics import given_K, refine
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.scene import Keyframe
from ds3d_pipeline_tests.poses.models import centres, make_model

K = ((2000.0, 0, 1010), (0, 2002, 740), (0, 0, 1))


def keyframe(source_wh, size_wh=(800, 600)):
    return Keyframe(
        image="a",
        source="a",
        timestamp_s=None,
        sharpness=1,
        size_wh=size_wh,
        camera=0,
        source_size_wh=source_wh,
    )


def test_given_intrinsics_shrink_with_the_picture():
    K_small = given_K(PosesOptions(K=K), [keyframe((2000, 1500))] * 2)
    np.testing.assert_allclose(K_small, [[800, 0, 404], [0, 800.8, 296], [0, 0, 1]])
    assert given_K(PosesOptions(), [keyframe(None)]) is None


@pytest.mark.parametrize(
    ("matrix", "sizes"),
    [
        (K, [(2000, 1500), (1500, 2000)]),
        (K, [None]),
    ],
)
def test_unusable_intrinsics_are_refused(matrix, sizes):
    with pytest.raises(StageError, match=r"poses\.K"):
        given_K(PosesOptions(K=matrix), [keyframe(size) for size in sizes])


def test_the_principal_point_is_found_where_many_images_hold_it():
    model = make_model(frames=16, points=400, noise_px=0.3, params=(600, 326, 235, 0.05))
    truth = centres(model)
    for camera in model.cameras.values():
        camera.params = [610, 320, 240, 0.0]
    model, told = refine(model, fixed=False)
    (camera,) = model.cameras.values()
    assert camera.model_name == "RADIAL"
    assert told.endswith("principal point")
    np.testing.assert_allclose(camera.params[:3], [600, 326, 235], atol=1)
    found = centres(model)
    size = np.ptp(truth, axis=0).max()
    assert np.linalg.norm(align_sim3(found, truth).apply(found) - truth, axis=1).max() < 2e-3 * size


def test_the_principal_point_stays_where_little_holds_it():
    model = make_model(frames=3, points=12, noise_px=0.3)
    model, told = refine(model, fixed=False)
    (camera,) = model.cameras.values()
    assert (camera.model_name, told) == ("SIMPLE_RADIAL", "focal length and distortion")
    assert [camera.principal_point_x, camera.principal_point_y] == [320, 240]


def test_a_principal_point_far_off_is_not_accepted():
    model = make_model(frames=16, points=400, params=(600, 350, 240, 0.05))
    for camera in model.cameras.values():
        camera.params = [600, 320, 240, 0.05]
    model, told = refine(model, fixed=False)
    assert told == "focal length and distortion"
    assert next(iter(model.cameras.values())).principal_point_x == 320


def test_given_intrinsics_stay():
    model = make_model(frames=6, noise_px=0.5)
    before = np.array(next(iter(model.cameras.values())).params)
    model, told = refine(model, fixed=True)
    assert told == "given"
    np.testing.assert_array_equal(next(iter(model.cameras.values())).params, before)
    assert isinstance(model, pycolmap.Reconstruction)
