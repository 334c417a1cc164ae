import numpy as np

from ds3d_pipeline.mesh.preview import MAX_BYTES, write_preview
from ds3d_pipeline.mesh.render import rasterise, render
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.mesh.shapes import grid_mesh, look_at


def test_depth_of_a_slanted_plane_is_exact():
    view = look_at((0.4, -0.3, -2.5))
    sheet = grid_mesh(side=9)
    raster = rasterise(sheet.vertices_in_world, sheet.faces, view.K, view.cam_from_world, view.image_size_wh)
    v, u = np.nonzero(raster.face_ids >= 0)
    rays = np.stack([u + 0.5, v + 0.5, np.ones(len(u))], axis=1) @ np.linalg.inv(view.K).T
    points_in_world = (rays * raster.depth[v, u, None] - view.cam_from_world[:3, 3]) @ view.cam_from_world[
        :3, :3
    ]
    assert len(u) > 3000
    assert np.abs(points_in_world[:, 2]).max() < 1e-5
    corners = sheet.vertices_in_world[sheet.faces[raster.face_ids[v, u]]]
    mixed = np.einsum("nk,nkc->nc", raster.barycentrics[v, u], corners)
    np.testing.assert_allclose(mixed, points_in_world, atol=1e-5)


def test_nearer_triangle_hides_the_farther_one_and_what_is_behind_is_unseen():
    one = np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0]], np.float32)
    view = look_at((0.0, 0.0, -3.0))
    vertices = np.concatenate([one + np.float32([0, 0, z]) for z in (1, 0, -9)])
    faces = np.arange(9, dtype=np.int32).reshape(3, 3)
    raster = rasterise(vertices, faces, view.K, view.cam_from_world, view.image_size_wh)
    assert set(np.unique(raster.face_ids)) == {-1, 1}
    np.testing.assert_allclose(raster.depth[raster.face_ids == 1], 3, rtol=1e-6)


def test_colors_of_vertices_and_of_a_texture_agree():
    sheet = grid_mesh(side=33)
    view = look_at((0.2, 0.1, -2.5))
    side = 256
    ramp = (np.arange(side) + 0.5) / side * 254
    texture = np.zeros((side, side, 3), np.uint8)
    texture[..., 0], texture[..., 1] = ramp[None, :], ramp[::-1, None]
    textured = Mesh(
        vertices_in_world=sheet.vertices_in_world,
        faces=sheet.faces,
        uvs=(sheet.vertices_in_world[:, :2] + 1) / 2,
        texture=texture,
    )
    by_vertex, by_texture = (
        render(m, view.K, view.cam_from_world, view.image_size_wh).astype(int) for m in (sheet, textured)
    )
    assert np.abs(by_vertex - by_texture).max() <= 2


def test_preview_is_a_small_picture_of_three_views(tmp_path):
    views = [look_at((x, 0.0, -2.5)) for x in (-1.0, -0.3, 0.3, 1.0)]
    write_preview(tmp_path / "preview.jpg", grid_mesh(side=40, bump=0.2), views)
    assert 1000 < (tmp_path / "preview.jpg").stat().st_size < MAX_BYTES
