"""Synthetic captures with true poses, sparse points and depth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ds3d_pipeline.geometry.cameras import project
from ds3d_pipeline.scene import Reconstruction, View
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SceneOptions, SyntheticOptions
from ds3d_pipeline.synthetic.render import render_depth


@dataclass(frozen=True)
class Filmed:
    """Photos, the model that structure from motion would ideally find, and the true depth of every view."""

    images: Path
    model: Reconstruction
    depths: list[np.ndarray]


def film(folder, name="tabletop", frames=6, size_wh=(320, 240), points=400, arc_deg=30.0) -> Filmed:
    """Renders a capture and picks its sparse points from the true surface."""
    options = SyntheticOptions(
        scene=SceneOptions(name=name),
        path=PathOptions(arc_deg=arc_deg),
        camera=CameraOptions(size_wh=size_wh, focal_px=0.875 * size_wh[0], noise_sigma=1.0, exposure=0.0),
        frames=frames,
    )
    truth = make_capture(folder, options)
    random = np.random.default_rng(0)
    chosen = truth.seen_points[random.choice(len(truth.seen_points), points, replace=False)]
    poses = [frame.cam_from_world for frame in truth.frames]
    depths = [render_depth(truth.vertices, truth.faces, truth.K, pose, size_wh)[0] for pose in poses]
    seen = [visible(truth.K, pose, depth, chosen) for pose, depth in zip(poses, depths, strict=True)]
    views = tuple(
        View(image=f.image, image_size_wh=size_wh, K=truth.K, cam_from_world=f.cam_from_world, point_ids=ids)
        for f, ids in zip(truth.frames, seen, strict=True)
    )
    lengths = np.bincount(np.concatenate(seen), minlength=points).astype(np.int32)
    model = Reconstruction(
        views=views,
        points_in_world=chosen.astype(np.float64),
        colors=np.zeros((points, 3), np.uint8),
        errors_px=np.full(points, 0.3),
        track_lengths=lengths,
    )
    return Filmed(images=folder / truth.input, model=model, depths=depths)


def visible(K, cam_from_world, depth, points) -> np.ndarray:
    """Indices of the points that lie in the picture and on the surface that it shows."""
    pixels, z = project(K, cam_from_world, points)
    height, width = depth.shape
    inside = (z > 0) & (pixels >= 0).all(1) & (pixels < [width, height]).all(1)
    ids = np.flatnonzero(inside)
    column, row = pixels[ids].astype(int).T
    return ids[np.abs(depth[row, column] / z[ids] - 1) < 0.01].astype(np.int32)
