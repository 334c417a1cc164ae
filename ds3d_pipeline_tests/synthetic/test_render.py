"""The renderer: depth against formulas, colours consistent between views."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from ds3d_pipeline.geometry.cameras import intrinsics, project, rays, unproject_depth
from ds3d_pipeline.geometry.transforms import (
    invert_rigid,
    rigid,
    rotation_from_axis_angle_deg,
    transform_points,
)
from ds3d_pipeline.synthetic.options import PathOptions, SceneOptions
from ds3d_pipeline.synthetic.path import make_path
from ds3d_pipeline.synthetic.render import render_depth, render_view
from ds3d_pipeline.synthetic.scene import make_scene
from ds3d_pipeline.synthetic.solids import sheet, sphere

SIZE_WH = (160, 120)
K = intrinsics(140, SIZE_WH)


def rendered(name, times, size_wh=SIZE_WH, focal_px=140.0):
    scene = make_scene(SceneOptions(name=name))
    path = make_path(PathOptions(), scene.target)
    poses = [path.cam_from_world(time) for time in times]
    return poses, [render_view(scene, intrinsics(focal_px, size_wh), pose, size_wh) for pose in poses]


@pytest.mark.parametrize("seed", range(8))
def test_depth_of_a_plane_is_exact_even_where_it_passes_behind_the_camera(seed):
    random = np.random.default_rng(seed)
    floor = sheet((50, 50))
    R = rotation_from_axis_angle_deg([1, 0.2, 0.1], random.uniform(10, 60))
    pose = rigid(R, -R @ [0.3, -1.2, 0.1])
    depth, _ = render_depth(floor.vertices, floor.faces, K, pose, SIZE_WH)
    down = rays(K, SIZE_WH) @ R[:, 1]
    expected = 1.2 / np.where(down > 0.1, down, np.nan)
    known = np.isfinite(expected)
    assert known.sum() > 1000
    np.testing.assert_allclose(depth[known], expected[known], rtol=1e-5)
    assert not depth[down <= 0].any()


def test_depth_of_a_fine_sphere_matches_the_formula():
    ball = sphere(0.5, 512).moved((0, 0.5, 2))
    depth, _ = render_depth(ball.vertices, ball.faces, K, np.eye(4), SIZE_WH)
    directions = rays(K, SIZE_WH)
    squared, along = (directions**2).sum(axis=-1), 2 * directions[..., 2]
    root = along**2 - squared * (4 - 0.25)
    expected = np.where(root > 0.01, (along - np.sqrt(np.maximum(root, 0))) / squared, 0)
    inside = expected > 0
    np.testing.assert_allclose(depth[inside], expected[inside], atol=3e-4)
    assert not depth[root < -0.01].any()


def test_the_back_of_a_triangle_is_not_seen():
    floor = sheet((50, 50))
    from_above = rigid(rotation_from_axis_angle_deg([1, 0, 0], 90), [0, 0, 2])
    from_below = rigid(rotation_from_axis_angle_deg([1, 0, 0], -90), [0, 0, 2])
    for pose, seen in ((from_above, True), (from_below, False)):
        depth, _ = render_depth(floor.vertices, floor.faces, K, pose, SIZE_WH)
        np.testing.assert_allclose(depth, 2.0 if seen else 0.0)


def test_triangles_that_share_edges_leave_no_gap():
    scene = make_scene(SceneOptions(name="relief"))
    pose = make_path(PathOptions(radius_m=1.0), scene.target).cam_from_world(0.5)
    depth, faces = render_depth(scene.vertices, scene.faces, K, pose, SIZE_WH)
    assert (faces >= 0).all()
    assert (depth > 0).all()


@pytest.mark.parametrize("name", ["tabletop", "relief"])
def test_one_view_warped_by_depth_looks_like_the_other(name):
    size_wh = (320, 240)
    poses, ((first, depth), (second, second_depth)) = rendered(name, (0.45, 0.5), size_wh, 280.0)
    K_here = intrinsics(280.0, size_wh)
    world = transform_points(invert_rigid(poses[0]), unproject_depth(K_here, depth))
    uv, z = project(K_here, poses[1], world)
    coordinates = [uv[..., 1] - 0.5, uv[..., 0] - 0.5]
    seen_z = map_coordinates(second_depth, coordinates, order=0, cval=0)
    both = (depth > 0) & (np.abs(seen_z - z) < 0.01)
    warped = np.stack([map_coordinates(second[..., i], coordinates, order=1) for i in range(3)], axis=-1)
    error, unrelated = np.abs(warped - first)[both], np.abs(second - first)[both]
    assert both.mean() > 0.6
    assert np.median(error) < 0.03
    assert error.mean() < 0.35 * unrelated.mean()


def test_a_point_has_one_colour_in_every_view_at_the_same_distance():
    """Half a turn of the camera about its axis moves every sample onto another pixel's place, exactly."""
    scene = make_scene(SceneOptions())
    pose = make_path(PathOptions(), scene.target).cam_from_world(0.3)
    turned = rigid(np.diag([-1.0, -1.0, 1.0]), np.zeros(3)) @ pose
    first, second = render_view(scene, K, pose, SIZE_WH), render_view(scene, K, turned, SIZE_WH)
    same = np.isclose(first[1], second[1][::-1, ::-1], atol=1e-5)
    assert same.mean() > 0.999
    difference = np.abs(first[0] - second[0][::-1, ::-1])[same]
    # A sample on the very edge of two patches may fall on either.
    assert (difference > 1e-3).mean() < 1e-3


def test_scenes_are_decided_by_their_seed():
    first, again, other = (make_scene(SceneOptions(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    np.testing.assert_array_equal(first.textures.texture_from_world, again.textures.texture_from_world)
    assert not np.allclose(first.textures.texture_from_world, other.textures.texture_from_world)
