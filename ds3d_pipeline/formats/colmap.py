"""COLMAP's files: sparse models through pycolmap, dense maps in its array format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.geometry.cameras import K_scaled, project
from ds3d_pipeline.scene import DepthMap, Float32, Int32, Reconstruction, View

if TYPE_CHECKING:
    from ds3d_pipeline.programs.colmap_library import pycolmap

MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin")
MAX_HEADER_BYTES = 64


def read_reconstruction(sparse_dir: Path) -> Reconstruction:
    """Reads a binary COLMAP model of PINHOLE images, the views sorted by image name.

    Points come in the order of their ids. Raises StageError where the files are missing or damaged and
    ValueError where a camera is distorted. Source: https://colmap.github.io/format.html
    """
    from ds3d_pipeline.programs.colmap_library import pycolmap

    missing = [name for name in MODEL_FILES if not (sparse_dir / name).is_file()]
    if missing:
        raise StageError(f"{sparse_dir} has no {missing[0]}.", "Run the poses stage again.")
    try:
        model = pycolmap.Reconstruction(str(sparse_dir))
    except (RuntimeError, ValueError, IndexError) as error:
        cause = f"{sparse_dir} is not a COLMAP model ({str(error).splitlines()[0]})."
        raise StageError(cause, "Run the poses stage again.") from error
    return reconstruction_from_colmap(model)


def model_folder(folder: Path) -> Path | None:
    """Where the model is below a finished folder or a bundle: `sparse/0/`, which other trainers look for, or
    `sparse/`; None where neither has one.
    """
    places = (folder / "sparse" / "0", folder / "sparse")
    return next((place for place in places if all((place / name).is_file() for name in MODEL_FILES)), None)


def reconstruction_from_colmap(model: pycolmap.Reconstruction) -> Reconstruction:
    """The registered PINHOLE images and the points of a pycolmap model, as our record."""
    point_ids = sorted(model.points3D)
    index_from_id = {point_id: index for index, point_id in enumerate(point_ids)}
    points = [model.points3D[point_id] for point_id in point_ids]
    images = sorted((model.images[image_id] for image_id in model.reg_image_ids()), key=lambda i: i.name)
    return Reconstruction(
        views=tuple(_view(image, index_from_id) for image in images),
        points_in_world=np.array([p.xyz for p in points], np.float64).reshape(-1, 3),
        colors=np.array([p.color for p in points], np.uint8).reshape(-1, 3),
        errors_px=np.array([p.error for p in points], np.float64),
        track_lengths=np.array([p.track.length() for p in points], np.int32),
    )


def _view(image: pycolmap.Image, index_from_id: dict[int, int]) -> View:
    camera = image.camera
    if camera is None or camera.model_name not in ("PINHOLE", "SIMPLE_PINHOLE"):
        got = None if camera is None else camera.model_name
        raise ValueError(f"camera of {image.name}: got {got}, expected PINHOLE")
    cam_from_world = np.eye(4)
    cam_from_world[:3] = image.cam_from_world().matrix()
    return View(
        image=image.name,
        image_size_wh=(camera.width, camera.height),
        K=camera.calibration_matrix(),
        cam_from_world=cam_from_world,
        point_ids=_observed(image, index_from_id),
    )


def _observed(image: pycolmap.Image, index_from_id: dict[int, int]) -> Int32:
    observed = {index_from_id[point.point3D_id] for point in image.get_observation_points2D()}
    return np.array(sorted(observed), np.int32)


def write_reconstruction(sparse_dir: Path, model: Reconstruction) -> None:
    """Writes our record as a binary COLMAP model of PINHOLE images; a keypoint is its point's projection.

    Points that fewer than two views observe are left out.
    """
    from ds3d_pipeline.programs.colmap_library import pycolmap

    out = pycolmap.Reconstruction()
    places: list[dict[int, int]] = []
    for number, view in enumerate(model.views, 1):
        pixels, _ = project(view.K, view.cam_from_world, model.points_in_world[view.point_ids])
        out.add_camera_with_trivial_rig(_pinhole(view, number))
        image = pycolmap.Image(name=view.image, camera_id=number, image_id=number, keypoints=pixels)
        R, t = pycolmap.Rotation3d(view.cam_from_world[:3, :3]), view.cam_from_world[:3, 3]
        out.add_image_with_trivial_frame(image, pycolmap.Rigid3d(R, t))
        places.append({int(point): place for place, point in enumerate(view.point_ids)})
    for index, point in enumerate(model.points_in_world):
        seen = [(number, place[index]) for number, place in enumerate(places, 1) if index in place]
        if len(seen) >= 2:
            track = pycolmap.Track([pycolmap.TrackElement(*element) for element in seen])
            point_id = out.add_point3D(point, track, model.colors[index])
            out.points3D[point_id].error = float(model.errors_px[index])
    sparse_dir.mkdir(parents=True, exist_ok=True)
    cast(Any, out).write(str(sparse_dir))  # Its stub names a PathLike of nothing.


def _pinhole(view: View, number: int) -> pycolmap.Camera:
    from ds3d_pipeline.programs.colmap_library import pycolmap

    width, height = view.image_size_wh
    params = [view.K[0, 0], view.K[1, 1], view.K[0, 2], view.K[1, 2]]
    return pycolmap.Camera(model="PINHOLE", width=width, height=height, params=params, camera_id=number)


def write_array(path: Path, array: Float32) -> None:
    """Writes (H, W) or (H, W, C) values as COLMAP's `Mat<float>`: "W&H&C&", then planes row by row."""
    planes = np.atleast_3d(np.asarray(array, np.float32))
    height, width, channels = planes.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    header = f"{width}&{height}&{channels}&".encode("ascii")
    partial.write_bytes(header + np.ascontiguousarray(planes.transpose(2, 0, 1), "<f4").tobytes())
    os.replace(partial, path)


def read_array(path: Path) -> Float32:
    """Reads what `write_array` or COLMAP wrote: (H, W), or (H, W, C) where there are several channels.

    Raises StageError naming the file where it is missing, has no such header or another length.
    """
    try:
        content = path.read_bytes()
        *size, _ = content[:MAX_HEADER_BYTES].split(b"&", 3)
        width, height, channels = (int(number) for number in size)
        start = sum(len(number) + 1 for number in size)
        planes = np.frombuffer(content, "<f4", offset=start).reshape(channels, height, width)
    except (OSError, ValueError) as error:
        raise StageError(f"{path} is not a dense COLMAP map ({error}).", "Run depth_maps again.") from error
    array = np.ascontiguousarray(planes.transpose(1, 2, 0), np.float32)
    return array[:, :, 0] if channels == 1 else array


def write_depth_map(folder: Path, depth_map: DepthMap) -> None:
    """Writes depth/, normal/ and confidence/<image>.bin under `folder`."""
    write_array(_map_file(folder, "depth", depth_map.image), depth_map.depth)
    write_array(_map_file(folder, "normal", depth_map.image), depth_map.normals)
    write_array(_map_file(folder, "confidence", depth_map.image), depth_map.confidence)


def read_depth_map(folder: Path, view: View) -> DepthMap:
    """Reads the maps of one view; K is the view's, scaled to the map's size."""
    depth = read_array(_map_file(folder, "depth", view.image))
    normals = read_array(_map_file(folder, "normal", view.image))
    confidence = read_array(_map_file(folder, "confidence", view.image))
    if normals.shape != (*depth.shape, 3) or confidence.shape != depth.shape:
        cause = f"The maps of {view.image} in {folder} differ in size."
        raise StageError(cause, "Run depth_maps again.")
    height, width = depth.shape
    K = K_scaled(view.K, (width / view.image_size_wh[0], height / view.image_size_wh[1]))
    return DepthMap(image=view.image, depth=depth, normals=normals, confidence=confidence, K=K)


def read_depth_maps(folder: Path, reconstruction: Reconstruction) -> list[DepthMap]:
    """Reads the maps of every view that has a depth file, in the order of the views."""
    views = [v for v in reconstruction.views if _map_file(folder, "depth", v.image).is_file()]
    return [read_depth_map(folder, view) for view in views]


def _map_file(folder: Path, kind: str, image: str) -> Path:
    return folder / kind / f"{image}.bin"
