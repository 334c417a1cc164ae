"""Samples on meshes and distances to them, against a unit cube and a brute force search."""

import numpy as np
import pytest
import trimesh

from ds3d_pipeline.geometry.surfaces import distances_to_surface, distances_to_triangles, sample_surface


def brute_force(points, corners, steps=60):
    """Nearest of many points of each triangle: never below the true distance."""
    u, v = np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps))
    keep = u + v <= 1
    weights = np.stack([1 - u - v, u, v], axis=-1)[keep]
    places = weights @ corners
    return np.linalg.norm(places - points[:, None], axis=2).min(axis=1)


@pytest.mark.parametrize("seed", range(10))
def test_triangle_distance_matches_brute_force(seed):
    random = np.random.default_rng(seed)
    corners, points = random.normal(size=(40, 3, 3)), random.normal(size=(40, 3))
    exact, bound = distances_to_triangles(points, corners), brute_force(points, corners)
    assert np.all(exact <= bound + 1e-12)
    assert np.all(bound - exact < 0.1)


def test_a_triangle_without_area_is_a_segment():
    corners = np.array([[[0, 0, 0], [1, 0, 0], [2.0, 0, 0]]])
    assert distances_to_triangles(np.array([[1.5, 3.0, 4.0]]), corners) == pytest.approx([5.0])


def test_samples_lie_on_their_faces_evenly_by_area():
    cube = trimesh.creation.box((1, 2, 4))
    points, owners = sample_surface(cube.vertices, cube.faces, 50_000, np.random.default_rng(0))
    assert distances_to_triangles(points, cube.triangles[owners]).max() < 1e-12
    share = np.bincount(owners, minlength=len(cube.faces)) / 50_000
    np.testing.assert_allclose(share, cube.area_faces / cube.area, atol=0.01)
    top = points[np.isclose(points[:, 2], 2)]
    np.testing.assert_allclose(top.mean(axis=0), [0, 0, 2], atol=0.05)


def test_distance_to_a_cube_is_exact_inside_and_outside():
    cube = trimesh.creation.box((2, 2, 2))
    points = np.array([[0, 0, 0.25], [3, 0, 0], [2, 2, 2], [1, 0.3, -0.2]])
    distances = distances_to_surface(points, cube.vertices, cube.faces, samples=20_000)
    np.testing.assert_allclose(distances, [0.75, 2, np.sqrt(3), 0], atol=1e-12)


def test_a_mesh_without_area_is_refused():
    with pytest.raises(ValueError, match="area"):
        sample_surface(np.zeros((3, 3)), [[0, 1, 2]], 5, np.random.default_rng(0))


def test_a_large_triangle_is_found_behind_many_small_ones():
    ball = trimesh.creation.icosphere(5, 1.0)
    ball.apply_translation([0, 0, 1.02])
    floor = np.array([[-100, -100, 0], [100, -100, 0], [0, 100, 0.0]])
    vertices = np.concatenate([ball.vertices, floor])
    faces = np.concatenate([ball.faces, [np.arange(3) + len(ball.vertices)]])
    points = np.array([[0, 0, 0.001], [0.1, 0.05, 0.002]])
    np.testing.assert_allclose(distances_to_surface(points, vertices, faces, samples=2000), [0.001, 0.002])
