"""The finished files agree in space: from a training camera each looks like the photo."""

import json

import cv2
import numpy as np
import pycolmap
import pytest
from PIL import ExifTags, Image

from ds3d_pipeline.formats.colmap import read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.ply import read_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.mesh.render import rasterise, shade
from ds3d_pipeline.splats.kernels.parameters import rows_from_gaussians
from ds3d_pipeline.splats.kernels.projection import camera_row
from ds3d_pipeline.splats.kernels.render import render as render_splat
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions
from ds3d_pipeline_tests.captures import run_ds3d

pytestmark = pytest.mark.slow

METRES_PER_M = 60
"""The scene stands for one this much larger, so that GPS can measure it."""
HOME = (47.37, 8.54, 430.0)
ENU_FROM_WORLD = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def write_gps(photo, place):
    """Adds the place (latitude and longitude in degrees, altitude in metres) to a photo's EXIF."""
    image = Image.open(photo)
    pixels, exif = image.copy(), image.getexif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    for tag, degrees, positive in ((1, place[0], "N"), (3, place[1], "E")):
        minutes = 60 * (degrees % 1)
        gps[tag] = positive
        gps[tag + 1] = (int(degrees), int(minutes), round(60 * (minutes % 1), 4))
    gps[5], gps[6] = b"\x00", round(place[2], 2)
    pixels.save(photo, quality=97, subsampling=0, exif=exif)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a small capture whose photos tell their places."""
    folder = tmp_path_factory.mktemp("agreement")
    camera = CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0, radial_k1=-0.06)
    truth = make_capture(
        folder / "capture", SyntheticOptions(frames=8, path=PathOptions(arc_deg=45.0), camera=camera)
    )
    enu_m = METRES_PER_M * np.stack([frame.centre_in_world for frame in truth.frames]) @ ENU_FROM_WORLD.T
    places = pycolmap.GPSTransform().enu_to_ellipsoid(enu_m, *HOME)
    for frame, place in zip(truth.frames, places, strict=True):
        write_gps(truth.input / frame.image, place)
    config = folder / "small.json"
    config.write_text(
        '{"depth_maps": {"max_side_px": 320}, "mesh": {"poisson_depth": 7, "max_faces": 20000}, '
        '"poses": {"max_features": 2000}, "splat": {"max_gaussians": 40000}}'
    )
    words = (
        "reconstruct",
        truth.input,
        "--config",
        config,
        "--mode",
        "fastest",
        "--name",
        "small",
        "--output",
        folder / "out",
    )
    done = run_ds3d(folder / "home", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    return truth, folder / "out" / "small"


@pytest.fixture(scope="module")
def views(finished):
    """Two training views at both ends of the path, each with its photo (H, W, 3) in [0, 1]."""
    folder = finished[1]
    chosen = [read_reconstruction(folder / "sparse" / "0").views[index] for index in (1, 6)]
    return [(v, np.asarray(Image.open(folder / "images" / v.image), np.float32) / 255) for v in chosen]


def difference(picture, photo, where):
    """Mean absolute difference of lightly blurred pictures over a mask, in shares of white."""
    blurred = (cv2.GaussianBlur(p.astype(np.float32), (0, 0), 1.5) for p in (picture, photo))
    return float(np.abs(np.subtract(*blurred)).mean(axis=2)[where].mean())


def assert_like_its_own_photo(draw, views):
    """`draw(view)` gives a picture and where it shows something: near the photo, far from the other's."""
    for (view, photo), (_, other) in zip(views, views[::-1], strict=True):
        picture, where = draw(view)
        assert where.mean() > 0.5
        own = difference(picture, photo, where)
        assert own < 0.06
        assert own < 0.5 * difference(picture, other, where)


def test_the_mesh(finished, views):
    mesh, _ = read_glb(finished[1] / "model.glb")

    def draw(view):
        raster = rasterise(
            mesh.vertices_in_world, mesh.faces, view.K, view.cam_from_world, view.image_size_wh
        )
        return shade(mesh, raster) / 255, raster.depth > 0

    assert_like_its_own_photo(draw, views)


def test_the_splat(finished, views):
    splat = read_splat_ply(finished[1] / "model.splat.ply")
    degree = round(np.sqrt(splat.sh_coeffs.shape[1])) - 1
    rows = rows_from_gaussians(splat, degree)

    def draw(view):
        drawn = render_splat(rows, camera_row(view.K, view.cam_from_world, view.image_size_wh), degree)
        return np.clip(drawn.image, 0, 1).transpose(1, 2, 0), drawn.transmittance < 0.2

    assert_like_its_own_photo(draw, views)


def splatted(points, colors, view):
    """Points drawn as small squares, the nearest on top."""
    width, height = view.image_size_wh
    uv, depth = project(view.K, view.cam_from_world, points)
    picture, where = np.zeros((height, width, 3)), np.zeros((height, width), bool)
    for index in np.argsort(-depth):
        if depth[index] > 0:
            column, row = uv[index].astype(int)
            square = (slice(max(row - 2, 0), max(row + 3, 0)), slice(max(column - 2, 0), max(column + 3, 0)))
            picture[square], where[square] = colors[index] / 255, True
    return picture, where


def test_the_point_cloud(finished, views):
    cloud = read_pointcloud(finished[1] / "pointcloud.ply")
    assert_like_its_own_photo(lambda view: splatted(cloud.points_in_world, cloud.colors, view), views)


def test_the_sparse_points(finished, views):
    model = read_reconstruction(finished[1] / "sparse" / "0")
    for view, photo in views:
        seen = view.point_ids
        uv, depth = project(view.K, view.cam_from_world, model.points_in_world[seen])
        assert (depth > 0).all()
        column, row = np.clip(uv.astype(int), 0, np.array(view.image_size_wh) - 1).T
        smooth = cv2.GaussianBlur(photo, (0, 0), 1.0)
        assert np.abs(smooth[row, column] - model.colors[seen] / 255).mean() < 0.06


def test_sizes_are_in_metres(finished):
    truth, folder = finished
    told = json.loads((folder / "metrics.json").read_text())
    assert (told["scale"]["unit"], told["scale"]["from"]) == ("m", "gps")
    assert told["status"] == "ok", told["reasons"]
    centres = [view.centre_in_world for view in read_reconstruction(folder / "sparse" / "0").views]
    ends_m = METRES_PER_M * (truth.frames[-1].centre_in_world - truth.frames[0].centre_in_world)
    assert np.linalg.norm(centres[-1] - centres[0]) == pytest.approx(np.linalg.norm(ends_m), rel=0.02)
