from dataclasses import replace

import cv2
import numpy as np
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.render import rasterise, shade
from ds3d_pipeline.mesh.texture.texture import textured
from ds3d_pipeline.scene import Mesh
from ds3d_pipeline_tests.mesh.photos import SIZE_WH, pattern, photographed_sheet
from ds3d_pipeline_tests.mesh.shapes import grid_mesh, look_at


def drawn(mesh, view):
    """The picture's seen pixels, and their true colours."""
    raster = rasterise(mesh.vertices_in_world, mesh.faces, view.K, view.cam_from_world, view.image_size_wh)
    seen = raster.face_ids >= 0
    corners = mesh.vertices_in_world[mesh.faces[raster.face_ids[seen]]]
    points = np.einsum("nk,nkc->nc", raster.barycentrics[seen], corners)
    return shade(mesh, raster)[seen].astype(float), pattern(points).astype(float)


def psnr(found, expected):
    return 10 * np.log10(255**2 / ((found - expected) ** 2).mean())


def test_texture_shows_what_the_photos_show_from_a_new_side(tmp_path):
    sheet, views = photographed_sheet(tmp_path)
    mesh, told = textured(sheet, views, tmp_path, MeshOptions(texture_px=1024))
    assert mesh.texture is not None
    assert mesh.texture.shape[0] <= 1024
    assert told.shown > 0.95
    new = look_at((0.1, 0.6, -2.4), size_wh=SIZE_WH, focal_px=230.0)
    found, expected = drawn(mesh, new)
    assert psnr(found, expected) > 33
    assert len(mesh.faces) == len(sheet.faces)
    np.testing.assert_allclose(
        mesh.vertices_in_world[mesh.faces], sheet.vertices_in_world[sheet.faces], atol=1e-7
    )


def test_exposure_is_compensated_so_no_seam_shows(tmp_path):
    sheet, views = photographed_sheet(tmp_path, gains=(0.75, 1.0, 1.2, 1.35))
    mesh, told = textured(sheet, views, tmp_path, MeshOptions(texture_px=1024))
    assert told.gains[1] / told.gains[0] == pytest.approx(1.35 / 0.75, rel=0.03)
    found, expected = drawn(mesh, look_at((0.0, 0.0, -2.5), size_wh=SIZE_WH, focal_px=230.0))
    ratio = (found.sum(axis=1) / expected.sum(axis=1)).reshape(-1)
    assert np.ptp(np.percentile(ratio, [2, 98])) < 0.1, "uncompensated, the ratio runs from 0.75 to 1.35"


def test_small_texture_is_filled_and_smaller_where_nothing_is_lost(tmp_path):
    sheet, views = photographed_sheet(tmp_path)
    small, told = textured(sheet, views, tmp_path, MeshOptions(texture_px=128))
    assert small.texture.shape == (128, 128, 3)
    assert told.scale < 0.7
    large, told = textured(sheet, views, tmp_path, MeshOptions(texture_px=4096))
    assert large.texture.shape[0] <= 1024
    assert told.scale >= 1


def test_what_hides_the_surface_does_not_stick_to_it(tmp_path):
    """A red plate before the sheet in one photo, and not in the mesh: three photos outvote it."""
    sheet, views = photographed_sheet(tmp_path)
    path = str(tmp_path / views[1].image)
    photo = cv2.imread(path)
    photo[60:120, 90:150] = (0, 0, 255)
    cv2.imwrite(path, photo)
    mesh, _ = textured(sheet, views, tmp_path, MeshOptions(texture_px=1024))
    found, expected = drawn(mesh, views[1])
    assert (np.abs(found - expected).max(axis=1) > 60).mean() < 0.01


def test_hidden_surface_takes_no_colour_from_what_hides_it(tmp_path):
    """A plate of the mesh before the sheet: what it hides from a camera is not painted with the plate."""
    sheet = grid_mesh(side=50)
    plate = grid_mesh(side=12)
    both = Mesh(
        vertices_in_world=np.concatenate(
            [sheet.vertices_in_world, plate.vertices_in_world * 0.25 - np.float32([0, 0, 0.6])]
        ),
        faces=np.concatenate([sheet.faces, plate.faces + len(sheet.vertices_in_world)]),
    )
    colors = np.full((len(both.vertices_in_world), 3), (20, 60, 220), np.uint8)
    colors[len(sheet.vertices_in_world) :] = (220, 60, 20)
    painted = replace(both, vertex_colors=colors)
    views = [look_at((x, 0.0, -2.5), name=f"{i}.png") for i, x in enumerate((-1.0, 0.0, 1.0))]
    for view in views:
        raster = rasterise(both.vertices_in_world, both.faces, view.K, view.cam_from_world, (160, 120))
        cv2.imwrite(str(tmp_path / view.image), shade(painted, raster)[:, :, ::-1])
    mesh, _ = textured(both, views, tmp_path, MeshOptions(texture_px=512))
    raster = rasterise(mesh.vertices_in_world, mesh.faces, views[0].K, views[0].cam_from_world, (160, 120))
    on_sheet = (raster.face_ids >= 0) & (raster.face_ids < len(sheet.faces))
    assert (shade(mesh, raster)[on_sheet][:, 0] > 120).mean() < 0.01


def test_unseen_side_is_filled_from_its_neighbours(tmp_path):
    """A sheet wider than the photos: beyond them it keeps the colours of the rim, and nothing is black."""
    sheet, views = photographed_sheet(tmp_path)
    wide = replace(sheet, vertices_in_world=sheet.vertices_in_world * np.float32([2.5, 2.5, 1]))
    mesh, told = textured(wide, views[1:3], tmp_path, MeshOptions(texture_px=1024))
    assert told.shown < 0.9
    assert mesh.texture.min() > 30


def test_cameras_that_look_away_are_an_error(tmp_path):
    sheet, views = photographed_sheet(tmp_path)
    behind = replace(sheet, vertices_in_world=sheet.vertices_in_world + np.float32([0, 0, -50]))
    with pytest.raises(StageError, match="No photo sees"):
        textured(behind, views, tmp_path, MeshOptions(texture_px=512))


def test_missing_photo_is_named(tmp_path):
    sheet, views = photographed_sheet(tmp_path)
    (tmp_path / views[2].image).unlink()
    with pytest.raises(StageError, match=views[2].image):
        textured(sheet, views, tmp_path, MeshOptions(texture_px=512))
