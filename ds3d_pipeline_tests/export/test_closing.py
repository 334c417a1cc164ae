"""Closing a mesh: whatever its holes, every edge has two sides afterwards."""

import numpy as np
import pytest
import trimesh

from ds3d_pipeline.export.closing import close_surface


def closed(shape: trimesh.Trimesh, removed: list[int]) -> trimesh.Trimesh:
    """Without these faces, its triangles torn apart as at a texture's seams, and closed again."""
    faces = np.delete(shape.faces, removed, axis=0)
    loose = np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3)
    return trimesh.Trimesh(*close_surface(shape.vertices[faces].reshape(-1, 3), loose), process=False)


def corner_fan(shape: trimesh.Trimesh, vertices: list[int]) -> list[int]:
    """Faces around these vertices."""
    return np.flatnonzero(np.isin(shape.faces, vertices).any(axis=1)).tolist()


BALL = trimesh.creation.icosphere(subdivisions=2)
AROUND = np.flatnonzero((BALL.faces == 20).any(axis=1))
HOLES = {
    "none": [],
    "one face": [5],
    "a large one": corner_fan(BALL, list(range(12))),
    "two that touch at a corner": [
        int(face) for face in np.flatnonzero((BALL.faces == 20).any(axis=1))[[0, 3]]
    ],
    "half of it": np.flatnonzero(BALL.triangles_center[:, 2] > 0).tolist(),
}


@pytest.mark.parametrize("hole", HOLES)
def test_every_edge_has_two_sides(hole):
    found = closed(BALL, HOLES[hole])
    assert found.is_watertight
    assert found.is_winding_consistent
    assert 0.4 * BALL.volume < found.volume <= BALL.volume * (1 + 1e-9)


def test_faces_at_a_branching_edge_go():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1.0]])
    faces = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]], np.int32)
    closed_vertices, closed_faces = close_surface(vertices, faces)
    assert trimesh.Trimesh(closed_vertices, closed_faces, process=False).is_watertight


def test_nothing_is_left_of_nothing():
    _, faces = close_surface(np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    assert len(faces) == 0
