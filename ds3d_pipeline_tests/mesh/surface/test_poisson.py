import numpy as np
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.mesh.options import TrimOptions
from ds3d_pipeline.mesh.surface.components import face_components
from ds3d_pipeline.mesh.surface.decimate import decimate
from ds3d_pipeline.mesh.surface.free_space import FreeSpaceEvidence
from ds3d_pipeline.mesh.surface.poisson import nearest_colors, poisson_surface, usable_depth
from ds3d_pipeline.mesh.surface.trim import trimmed
from ds3d_pipeline.pointcloud.cleaning import select
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.mesh.shapes import (
    box_cloud,
    chamfer,
    cloud_of,
    grid_mesh,
    sample_surface,
    sphere_cloud,
)


@pytest.fixture(scope="module")
def sphere():
    cloud = sphere_cloud()
    return cloud, trimmed(poisson_surface(cloud, 7), cloud, TrimOptions())


@pytest.fixture(scope="module")
def open_box():
    cloud = box_cloud(open_top=True)
    return cloud, trimmed(poisson_surface(cloud, 7), cloud, TrimOptions())


def test_sphere_is_met_closely_and_winds_outwards(sphere):
    samples = sample_surface(sphere[1])
    radius = np.linalg.norm(samples.points, axis=1)
    assert np.abs(radius - 1).mean() < 0.005
    assert np.abs(radius - 1).max() < 0.03
    assert (np.sum(samples.normals * samples.points, axis=1) > 0.9).all()


def test_noisy_sphere_is_smoothed():
    cloud = sphere_cloud(noise=0.01)
    samples = sample_surface(trimmed(poisson_surface(cloud, 7), cloud, TrimOptions()))
    assert np.abs(np.linalg.norm(samples.points, axis=1) - 1).mean() < 0.008


def test_box_chamfer(open_box):
    cloud, mesh = open_box
    assert chamfer(sample_surface(mesh, 40_000).points, cloud.points_in_world) < 0.025


def test_what_no_point_supports_is_cut_away(open_box):
    """Poisson closes the open top with a lid; the lid must go and the rim stay."""
    samples = sample_surface(open_box[1])
    x, _, z = np.abs(samples.points).T
    lid = (samples.points[:, 1] < -0.6) & (x < 0.6) & (z < 0.25)
    assert not lid.any()
    assert samples.points[:, 1].min() < -0.6
    full = sample_surface(poisson_surface(open_box[0], 7))
    assert ((full.points[:, 1] < -0.6) & (np.abs(full.points[:, 0]) < 0.6)).any()


def test_far_crumb_is_dropped():
    big, crumb = sphere_cloud(), sphere_cloud(count=300, radius=0.05)
    points = np.concatenate([big.points_in_world, crumb.points_in_world + np.float32([3, 0, 0])])
    cloud = cloud_of(
        points,
        np.concatenate([big.normals, crumb.normals]),
        np.concatenate([big.colors, crumb.colors]),
    )
    mesh = trimmed(poisson_surface(cloud, 8), cloud, TrimOptions())
    assert mesh.vertices_in_world[:, 0].max() < 1.1


def test_scarce_points_do_not_carry_the_surface_far():
    """The lower half keeps few points: they hold what is beside them, and not all between."""
    cloud = sphere_cloud(count=60_000)
    kept = (cloud.points_in_world[:, 2] > 0) | (np.arange(len(cloud.points_in_world)) % 3000 == 0)
    scarce = select(cloud, kept)
    full, centres = poisson_surface(scarce, 7), np.array([[0, 0, -4.0], [4.0, 0, 0], [0, 0, 4.0]])
    shares = []
    for eyes in (None, centres):
        samples = sample_surface(trimmed(full, scarce, TrimOptions(), centres=eyes)).points
        shares.append((samples[:, 2] < -0.3).mean())
        assert (samples[:, 2] > 0.1).sum() > 5000
    assert shares[1] < 0.6 * shares[0]


@pytest.mark.parametrize("sure", [False, True])
def test_a_small_hole_stays_open_only_where_that_is_sure(sphere, sure):
    cloud = sphere[0]
    full = poisson_surface(cloud, 7)
    cap = full.vertices_in_world[:, 2] > np.cos(0.12) * np.linalg.norm(full.vertices_in_world, axis=1)
    mesh = trimmed(full, cloud, TrimOptions(), cap, cap & sure)
    pole = sample_surface(mesh, 60_000).points[:, 2] > np.cos(0.06)
    assert pole.any() == (not sure)


def test_maps_that_contradict_each_other_are_not_clear():
    counts = np.array([[0, 1], [0, 2], [0, 4], [1, 4], [1, 5], [3, 9], [3, 2]], np.int32).T.copy()
    evidence = FreeSpaceEvidence(supports=counts[0], passes=counts[1], angles_deg=np.zeros(7, np.float32))
    assert evidence.seen_through().tolist() == [False, True, True, True, True, True, False]
    assert evidence.clearly_seen_through().tolist() == [False, False, True, False, True, False, False]


def test_surface_far_from_all_points_is_an_error(sphere):
    far = cloud_of(sphere[0].points_in_world + 100, sphere[0].normals, sphere[0].colors)
    with pytest.raises(StageError, match="6000 points"):
        trimmed(sphere[1], far, TrimOptions())


@pytest.mark.parametrize(("points", "asked", "used"), [(2_000_000, 9, 9), (1000, 11, 6), (60, 9, 5)])
def test_depth_follows_the_number_of_points(points, asked, used):
    assert usable_depth(points, asked) == used


def test_colors_come_from_the_nearest_points(sphere):
    cloud, mesh = sphere
    expected = 127.5 * (mesh.vertices_in_world + 1)
    assert np.abs(nearest_colors(mesh, cloud) - expected).mean() < 3


@pytest.mark.parametrize("budget", [5000, 1000, 200])
def test_budget_is_kept_and_shape_too(sphere, budget):
    small = decimate(sphere[1], budget)
    assert budget / 2 < len(small.faces) <= budget
    radius = np.linalg.norm(sample_surface(small).points, axis=1)
    assert np.abs(radius - 1).mean() < 0.005 + 4 / budget
    assert len(np.unique(face_components(small))) == 1


def test_open_border_stays():
    small = decimate(grid_mesh(side=60, bump=0.1), 800)
    low, high = small.vertices_in_world[:, :2].min(axis=0), small.vertices_in_world[:, :2].max(axis=0)
    np.testing.assert_allclose([low, high], [[-1, -1], [1, 1]], atol=0.01)
    area = np.ptp(small.vertices_in_world[:, 0]) * np.ptp(small.vertices_in_world[:, 1])
    assert area == pytest.approx(4, rel=0.01)


def test_small_mesh_only_loses_unsound_faces():
    sheet = grid_mesh(side=4)
    faces = np.concatenate([sheet.faces, sheet.faces[:1, ::-1], [[0, 0, 1], [0, 1, 2]]]).astype(np.int32)
    vertices = np.concatenate([sheet.vertices_in_world, [[9, 9, 9]]]).astype(np.float32)
    cleaned = decimate(Mesh(vertices_in_world=vertices, faces=faces), 1000)
    assert len(cleaned.faces) == len(sheet.faces)
    assert len(cleaned.vertices_in_world) == len(sheet.vertices_in_world)
