"""Points for what the photos show and no point cloud reaches."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.scene import PointCloud
from ds3d_pipeline.splats.backdrop import backdrop
from ds3d_pipeline.splats.inputs import Photo

WIDTH, HEIGHT = 96, 64
K = np.array([[80.0, 0, 48], [0, 80, 32], [0, 0, 1]])


def wall(x_max: float, depth: float = 2.0) -> PointCloud:
    """A wall across the view up to `x_max` pixels."""
    u, v = np.meshgrid(np.arange(0.5, x_max), np.arange(0.5, HEIGHT))
    rays = np.stack([(u - 48) / 80, (v - 32) / 80, np.ones_like(u)], axis=-1).reshape(-1, 3)
    points = (rays * depth).astype(np.float32)
    return PointCloud(
        points_in_world=points, normals=np.zeros_like(points), colors=np.zeros((len(points), 3), np.uint8)
    )


@pytest.fixture
def photo() -> Photo:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, 64:] = (10, 20, 250)
    return Photo(name="a", pixels=pixels, K=K, cam_from_world=np.eye(4))


def test_only_empty_places_are_filled_far_away_in_their_own_colors(photo):
    added = backdrop(wall(60), [photo], 10_000)
    points = added.points_in_world
    u = points[:, 0] / points[:, 2] * 80 + 48
    assert len(points) > 100
    assert u.min() > 60
    assert u.max() > 90
    np.testing.assert_allclose(points[:, 2], 2.0, rtol=1e-5)
    assert (added.colors[u > 66] == (10, 20, 250)).all()


def test_a_full_view_and_a_second_photo_of_the_same_place_add_nothing(photo):
    assert len(backdrop(wall(WIDTH), [photo], 100).points_in_world) == 0
    once = backdrop(wall(60), [photo], 10_000)
    twice = backdrop(wall(60), [photo, photo], 10_000)
    assert len(twice.points_in_world) == len(once.points_in_world)


def test_masked_places_stay_empty_and_the_limit_holds(photo):
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[:, 62:] = 0
    points = backdrop(wall(50), [replace(photo, mask=mask)], 10_000).points_in_world
    assert len(points)
    assert (points[:, 0] / points[:, 2] * 80 + 48).max() < 62
    assert len(backdrop(wall(20), [photo], 50).points_in_world) == 50


def test_a_camera_that_sees_no_point_adds_none(photo):
    away = replace(photo, cam_from_world=np.diag([1.0, -1, -1, 1]))
    assert len(backdrop(wall(60), [away], 100).points_in_world) == 0
