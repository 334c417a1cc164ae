"""The mesh that a page carries."""

import dataclasses

import numpy as np

from ds3d_pipeline.report.light_mesh import light_mesh, vertex_colors
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.mesh.shapes import grid_mesh


def test_it_has_at_most_so_many_triangles_and_the_colours_of_their_places():
    light = light_mesh(grid_mesh(side=60, bump=0.2), 900)
    assert 400 < len(light.faces) <= 900
    ramp = np.clip((light.vertices_in_world[:, :2] + 1) * 127, 0, 255)
    assert np.abs(light.vertex_colors[:, :2] - ramp).mean() < 6


def test_a_texture_becomes_the_colour_of_its_place():
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:4] = (200, 10, 10)
    texture[4:] = (10, 10, 200)
    plain = grid_mesh(side=9)
    uvs = ((plain.vertices_in_world[:, :2] + 1) / 2).astype(np.float32)
    mesh = dataclasses.replace(plain, vertex_colors=None, uvs=uvs, texture=texture)
    is_top = plain.vertices_in_world[:, 1] > 0.01
    assert (vertex_colors(mesh)[is_top] == (200, 10, 10)).all()
    assert (vertex_colors(mesh)[plain.vertices_in_world[:, 1] < -0.01] == (10, 10, 200)).all()


def test_without_any_colour_it_is_grey():
    plain = dataclasses.replace(grid_mesh(side=5), vertex_colors=None)
    assert (np.ptp(light_mesh(plain, 900).vertex_colors, axis=1) == 0).all()


def test_loose_triangles_do_not_bring_more_vertices_than_a_closed_mesh_would():
    corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    vertices = (corner + [[[0, 0, 3.0 * i]] for i in range(400)]).reshape(-1, 3)
    soup = Mesh(
        vertices_in_world=vertices.astype(np.float32), faces=np.arange(1200, dtype=np.int32).reshape(-1, 3)
    )
    light = light_mesh(soup, 200)
    assert 0 < len(light.faces) <= 50
    assert len(light.vertices_in_world) <= 150
