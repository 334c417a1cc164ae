"""Two views, resection, triangulation, focal votes and flat pictures against the truth."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.geometry.transforms import rotation_angle_deg
from ds3d_pipeline.poses.opencv.export import flat_K, flatten
from ds3d_pipeline.poses.opencv.focal import vote_focal_px
from ds3d_pipeline.poses.opencv.mapping import resect
from ds3d_pipeline.poses.opencv.model import Model, errors_px, undistort
from ds3d_pipeline.poses.opencv.triangulation import triangulate
from ds3d_pipeline.poses.opencv.two_view import first_pairs, relative_pose
from ds3d_pipeline_tests.poses.opencv.scenes import (
    CENTRE_PX,
    FOCAL_PX,
    RADIAL_K,
    SIZE_WH,
    cameras_of,
    make_cloud,
    matches_of,
    tracks_of,
)


def flat(pixels):
    count = len(pixels)
    return undistort(pixels, np.tile(CENTRE_PX, (count, 1)), np.tile([FOCAL_PX, RADIAL_K], (count, 1)))


def spoiled(pixels, share=0.3, seed=3):
    """Some pixels replaced by random ones."""
    random = np.random.default_rng(seed)
    wrong = random.choice(len(pixels), int(share * len(pixels)), replace=False)
    result = pixels.copy()
    result[wrong] = random.uniform(0, SIZE_WH, (len(wrong), 2))
    return result


def angle_between_deg(a, b):
    return np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


def test_undistorted_pixels_are_the_true_rays():
    cloud = make_cloud()
    in_cam = cloud.points @ cloud.rotations[2].T + cloud.translations[2]
    np.testing.assert_allclose(flat(cloud.pixels[2]), in_cam[:, :2] / in_cam[:, 2:], atol=1e-6)


def test_relative_pose_with_a_third_of_wrong_matches():
    cloud = make_cloud(points=300, noise_px=0.3)
    pose = relative_pose(flat(cloud.pixels[1]), flat(spoiled(cloud.pixels[4])), 1.0 / FOCAL_PX, seed=0)
    R = cloud.rotations[4] @ cloud.rotations[1].T
    t = cloud.translations[4] - R @ cloud.translations[1]
    assert pose is not None
    assert rotation_angle_deg(pose.rotation @ R.T) < 0.6
    assert angle_between_deg(pose.translation, t) < 2
    assert 180 < pose.points <= 225
    assert pose.angle_deg == pytest.approx(30, abs=4)


def test_a_turn_on_the_spot_starts_nothing():
    cloud = make_cloud(cameras=2, points=200)
    random = np.random.default_rng(0)
    first = flat(cloud.pixels[0])
    rays = np.column_stack([first, np.ones(len(first))]) @ np.array(
        [[0.98, 0, 0.2], [0, 1, 0], [-0.2, 0, 0.98]]
    )
    second = rays[:, :2] / rays[:, 2:] + random.normal(0, 0.3 / FOCAL_PX, first.shape)
    (pair,) = matches_of(cloud)
    assert list(first_pairs([pair], [first, second], [1.0 / FOCAL_PX] * 2, seed=0)) == []


def test_wide_pairs_come_first():
    cloud = make_cloud(points=120, noise_px=0.2, arc_deg=12)
    xy = [flat(pixels) for pixels in cloud.pixels]
    found = list(first_pairs(matches_of(cloud), xy, [1.0 / FOCAL_PX] * 6, seed=0))
    widest, pose = found[0]
    assert (widest.first, widest.second) == (0, 5)
    assert pose.angle_deg > 10
    assert [one.score for _, one in found] == sorted((one.score for _, one in found), reverse=True)


def test_pose_from_points_with_half_of_them_wrong():
    cloud = make_cloud(points=200, noise_px=0.3)
    found = resect(cloud.points, flat(spoiled(cloud.pixels[3], 0.5)), 4.0 / FOCAL_PX, seed=0)
    assert found is not None
    assert rotation_angle_deg(found[0] @ cloud.rotations[3].T) < 0.2
    np.testing.assert_allclose(found[1], cloud.translations[3], atol=0.01)


def test_no_pose_from_unrelated_points():
    random = np.random.default_rng(0)
    points, xy = random.uniform(-1, 1, (100, 3)), random.uniform(-0.5, 0.5, (100, 2))
    assert resect(points, xy, 2.0 / FOCAL_PX, seed=0) is None


def model_of(cloud, registered):
    return Model(
        rotations=cloud.rotations,
        translations=cloud.translations,
        registered=registered,
        intrinsics=np.array([[FOCAL_PX, RADIAL_K]]),
        points=np.full((len(cloud.points), 3), np.nan),
        used=np.zeros(cloud.pixels.shape[0] * len(cloud.points), bool),
    )


def test_points_from_registered_images_in_spite_of_wrong_observations():
    cloud = make_cloud(noise_px=0.2)
    cloud.pixels[3, :40] += 50
    cloud.pixels[5] = 0
    registered = np.array([True, True, True, True, True, False])
    tracks, cameras, model = tracks_of(cloud), cameras_of(cloud), model_of(cloud, registered)
    wanted = np.arange(len(tracks)) != 7
    points = triangulate(tracks, cameras, model, wanted, 2.0)
    assert np.isnan(points[7]).all()
    np.testing.assert_allclose(points[wanted], cloud.points[wanted], atol=0.02)


def test_no_point_where_no_rays_agree_or_their_angle_is_small():
    one = make_cloud(cameras=1)
    parallel = replace(
        one,
        rotations=np.repeat(one.rotations, 2, axis=0),
        translations=one.translations + np.array([[0, 0, 0], [0.02, 0, 0]]),
        pixels=np.repeat(one.pixels, 2, axis=0),
    )
    model = model_of(parallel, np.ones(2, bool))
    everything = np.ones(len(one.points), bool)
    narrow = triangulate(tracks_of(parallel), cameras_of(parallel), model, everything, 2.0)
    wide = make_cloud(cameras=2)
    wide.pixels[1] = wide.pixels[1, ::-1].copy()
    crossed = triangulate(
        tracks_of(wide), cameras_of(wide), model_of(wide, np.ones(2, bool)), everything, 2.0
    )
    assert np.isnan(narrow).all()
    assert np.isnan(crossed[:, 0]).mean() > 0.9


def test_errors_are_infinite_where_nothing_is_known():
    cloud = make_cloud(cameras=3, points=4)
    model = model_of(cloud, np.array([True, True, False]))
    model.points[:3] = cloud.points[:3]
    model.points[2] = [0, 0, -50]
    errors = errors_px(tracks_of(cloud), cameras_of(cloud), model).reshape(4, 3)
    np.testing.assert_allclose(errors[:2, :2], 0, atol=1e-9)
    assert np.isinf(errors[2:]).all()
    assert np.isinf(errors[:, 2]).all()


def test_pairs_vote_for_the_focal_length():
    voted = vote_focal_px(matches_of(make_cloud()), CENTRE_PX, max(SIZE_WH))
    assert voted == pytest.approx(FOCAL_PX, rel=0.03)
    assert vote_focal_px([], CENTRE_PX, 640) is None


@pytest.mark.parametrize("radial_k", [-0.15, 0.0, 0.1])
def test_flat_pictures_are_full_and_no_smaller_than_needed(radial_k):
    K = flat_K(FOCAL_PX, radial_k, SIZE_WH)
    white = np.full((SIZE_WH[1], SIZE_WH[0], 3), 255, np.uint8)
    inside = np.pad(white[4:-4, 4:-4], ((4, 4), (4, 4), (0, 0)))
    border = np.concatenate(
        [
            flatten(inside, FOCAL_PX, radial_k, K)[[0, -1]].ravel(),
            flatten(inside, FOCAL_PX, radial_k, K)[:, [0, -1]].ravel(),
        ]
    )
    assert border.min() == 0  # the outermost pixels of the photo are still in view
    x, y = np.meshgrid([0.0, SIZE_WH[0] / 2, SIZE_WH[0]], [0.0, SIZE_WH[1] / 2, SIZE_WH[1]])
    xy = (np.stack([x, y], -1).reshape(-1, 2) - CENTRE_PX) / K[0, 0]
    distorted = CENTRE_PX + FOCAL_PX * xy * (1 + radial_k * (xy**2).sum(axis=1, keepdims=True))
    assert (distorted >= -1e-6).all()
    assert (distorted <= np.array(SIZE_WH) + 1e-6).all()
