"""What training begins with."""

import numpy as np

from ds3d_pipeline.scene import PointCloud, Reconstruction, View
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.training.initialization import points_beyond, starting_splat

HOUSE = np.array([[-1.0, 0, 9], [0, 0, 9], [1, 0, 9], [0, 1, 9]])


def wall() -> PointCloud:
    """Dense points at depth 3."""
    x, y = np.meshgrid(np.linspace(-2, 2, 80), np.linspace(-2, 2, 80))
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, 3.0)], axis=1).astype(np.float32)
    normals = np.tile(np.array((0, 0, -1), np.float32), (len(points), 1))
    return PointCloud(points_in_world=points, normals=normals, colors=np.full(points.shape, 90, np.uint8))


def seen(points, errors_px=0.3, track=3) -> Reconstruction:
    count = len(points)
    view = View(
        image="0.jpg",
        image_size_wh=(64, 48),
        K=np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]),
        cam_from_world=np.eye(4),
        point_ids=np.arange(count, dtype=np.int32),
    )
    return Reconstruction(
        views=(view,),
        points_in_world=np.asarray(points, np.float64),
        colors=np.full((count, 3), 200, np.uint8),
        errors_px=np.full(count, errors_px),
        track_lengths=np.full(count, track, np.int32),
    )


def test_only_points_that_no_dense_point_stands_for_are_beyond():
    on_the_wall = wall().points_in_world[::500].astype(np.float64)
    found = points_beyond(wall(), seen(np.concatenate([on_the_wall, HOUSE])))
    np.testing.assert_array_equal(found.points_in_world, HOUSE.astype(np.float32))
    assert (found.colors == 200).all()


def test_points_that_are_not_sure_stay_out():
    assert len(points_beyond(wall(), seen(HOUSE, errors_px=5.0)).points_in_world) == 0
    assert len(points_beyond(wall(), seen(HOUSE, track=2)).points_in_world) == 0


def test_a_far_house_is_there_from_the_start_and_the_budget_is_kept():
    options = SplatOptions(max_gaussians=1000)
    plain = starting_splat(wall(), options, seen(HOUSE[:0]))
    splat = starting_splat(wall(), options, seen(HOUSE))
    assert len(plain.means) == len(splat.means) == len(splat.sh_coeffs) == 1000
    assert (plain.means[:, 2] < 4).all()
    assert (splat.means[:, 2] > 8).sum() == len(HOUSE)
