"""The solids against closed formulas."""

import numpy as np
import pytest
import trimesh

from ds3d_pipeline.synthetic import solids


def volume(solid):
    a, b, c = np.moveaxis(solid.vertices[solid.faces], 1, 0)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


@pytest.mark.parametrize(
    ("solid", "expected"),
    [
        (solids.box((0.2, 0.3, 0.5)), 0.03),
        (solids.sphere(0.4, 128), 4 / 3 * np.pi * 0.4**3),
        (solids.cylinder(0.3, 0.5, 128), np.pi * 0.09 * 0.5),
        (solids.torus(0.5, 0.1, 128), 2 * np.pi**2 * 0.5 * 0.01),
    ],
)
def test_closed_solids_turn_outwards_and_stand_on_the_floor(solid, expected):
    assert volume(solid) == pytest.approx(expected, rel=5e-3)
    assert solid.vertices[:, 1].max() == pytest.approx(0, abs=1e-12)
    assert trimesh.Trimesh(solid.vertices, solid.faces, process=True, merge_norm=True).is_watertight


def test_normals_of_a_sphere_point_away_from_its_centre():
    ball = solids.sphere(0.4)
    used = np.unique(ball.faces)
    outwards = (ball.vertices[used] - [0, -0.4, 0]) / 0.4
    assert np.einsum("ij,ij->i", outwards, ball.normals[used]).min() > 0.99


def test_a_moved_solid_keeps_its_volume_and_moves_its_origin():
    moved = solids.box((1, 1, 1)).moved((5, 6, 7), 33, (1, 2, 3))
    assert volume(moved) == pytest.approx(1)
    assert solids.box((1, 1, 1)).moved((5, 6, 7), 33).vertices[:, 1].max() == pytest.approx(6)


def test_a_sheet_faces_up():
    np.testing.assert_allclose(solids.sheet((2, 3)).normals, np.tile([0, -1.0, 0], (4, 1)))


def test_a_height_field_rises_along_minus_y():
    field = solids.height_field((2, 2), np.full((3, 3), 0.5))
    np.testing.assert_allclose(field.vertices[:, 1], -0.5)
