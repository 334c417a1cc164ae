"""Makes a capture: renders the frames along the path and writes photos or a video, beside the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from ds3d_pipeline.geometry.cameras import intrinsics, project
from ds3d_pipeline.geometry.surfaces import sample_surface
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import Float64, UInt8
from ds3d_pipeline.synthetic.options import CameraOptions, SyntheticOptions
from ds3d_pipeline.synthetic.path import make_path
from ds3d_pipeline.synthetic.photograph import photograph
from ds3d_pipeline.synthetic.render import render_depth
from ds3d_pipeline.synthetic.scene import SyntheticScene, make_scene
from ds3d_pipeline.synthetic.truth import Truth, TruthFrame, load_truth, save_truth

__all__ = ["load_truth", "make_capture"]

SURFACE_SAMPLES = 400_000
FILM_DIAGONAL_MM = 43.2666
SENSOR_DIAGONAL_MM = 7.0


def make_capture(
    folder: Path, options: SyntheticOptions, progress: Callable[[float], object] = lambda fraction: None
) -> Truth:
    """Writes `images/0001.jpg ...` or `video.mp4`, `truth.json` and `truth_mesh.npz` into `folder`.

    `progress` is called with the fraction of frames done. Raises ValueError for fewer than 1 frame, or
    a video of odd size.
    """
    if options.frames < 1:
        raise ValueError(f"a capture needs at least 1 frame, got {options.frames}")
    scene = make_scene(options.scene)
    times = np.linspace(0, 1, options.frames) if options.frames > 1 else np.array([0.5])
    path = make_path(options.path, scene.target)
    poses = [path.cam_from_world(time) for time in times]
    folder.mkdir(parents=True, exist_ok=True)
    write = _write_video if options.format == "video" else _write_photos
    source, frames = write(
        folder, options, _photos(scene, path.cam_from_world, times, options, progress), poses
    )
    truth = Truth(
        input=source,
        size_wh=options.camera.size_wh,
        K=intrinsics(options.camera.focal_px, options.camera.size_wh),
        radial_k1=options.camera.radial_k1,
        frames=frames,
        vertices=scene.vertices,
        faces=scene.faces,
        seen_points=_seen_points(scene, poses, options.camera),
    )
    save_truth(folder, truth)
    return truth


def _photos(
    scene: SyntheticScene,
    pose_at: Callable[[float], Float64],
    times: Float64,
    options: SyntheticOptions,
    progress: Callable[[float], object],
) -> Iterator[UInt8]:
    """The photos in order, rendered on all cores; each frame's noise is its own, whatever the order."""
    interval = options.camera.exposure / max(options.frames - 1, 1)

    def take(index: int) -> UInt8:
        time, random = float(times[index]), np.random.default_rng((options.seed, index))
        return photograph(scene, lambda shift: pose_at(time + interval * shift), options.camera, random)

    # The kernels release the interpreter's lock.
    with ThreadPoolExecutor(allowed_cpus()) as threads:
        for index, photo in enumerate(threads.map(take, range(options.frames))):
            yield photo
            progress((index + 1) / options.frames)


def _write_photos(
    folder: Path, options: SyntheticOptions, photos: Iterator[UInt8], poses: list[Float64]
) -> tuple[Path, tuple[TruthFrame, ...]]:
    from PIL import Image

    source, frames = folder / "images", []
    source.mkdir(exist_ok=True)
    for index, (photo, pose) in enumerate(zip(photos, poses, strict=True)):
        name = f"{index + 1:04}.jpg"
        save = partial(Image.fromarray(photo).save, source / name, quality=95, subsampling=0)
        save(exif=_exif(options.camera)) if options.exif else save()
        frames.append(TruthFrame(image=name, timestamp_s=None, cam_from_world=pose))
    return source, tuple(frames)


def _exif(camera: CameraOptions) -> bytes:
    """EXIF 2.32 with the focal length in mm, and as on 35 mm film (by the diagonal, CIPA DCG-001)."""
    from PIL import ExifTags, Image

    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "ds3d", "synthetic"
    relative = camera.focal_px / math.hypot(*camera.size_wh)
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.FocalLength] = round(relative * SENSOR_DIAGONAL_MM, 4)
    details[ExifTags.Base.FocalLengthIn35mmFilm] = round(relative * FILM_DIAGONAL_MM)
    return exif.tobytes()


def _write_video(
    folder: Path, options: SyntheticOptions, photos: Iterator[UInt8], poses: list[Float64]
) -> tuple[Path, tuple[TruthFrame, ...]]:
    import av

    width, height = options.camera.size_wh
    if width % 2 or height % 2:
        raise ValueError(f"a video needs even sides, got {width}x{height}")
    source, frames = folder / "video.mp4", []
    with av.open(source, "w") as container:
        stream = container.add_stream("libx264", rate=options.frames_per_second, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index, (photo, pose) in enumerate(zip(photos, poses, strict=True)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(photo, format="rgb24")))
            time = index / options.frames_per_second
            frames.append(TruthFrame(image=f"{index + 1:04}", timestamp_s=time, cam_from_world=pose))
        container.mux(stream.encode())
    return source, tuple(frames)


def _seen_points(scene: SyntheticScene, poses: list[Float64], camera: CameraOptions) -> Float64:
    """(N, 3) even samples of the surface that at least two frames (of a pinhole camera) see."""
    K = intrinsics(camera.focal_px, camera.size_wh)
    points, faces = sample_surface(scene.vertices, scene.faces, SURFACE_SAMPLES, np.random.default_rng(0))
    views = np.zeros(len(points), dtype=int)
    for pose in poses:
        depth, face_ids = render_depth(scene.vertices, scene.faces, K, pose, camera.size_wh)
        uv, z = project(K, pose, points)
        inside = (z > 0) & np.all((uv >= 0) & (uv < camera.size_wh), axis=1)
        column, row = uv[inside].astype(int).T
        # A neighbouring triangle of a curved surface may cover the pixel's centre.
        near = np.abs(depth[row, column] - z[inside]) < 0.005 * z[inside]
        views[inside] += near | (face_ids[row, column] == faces[inside])
    return points[views >= min(2, len(poses))]
