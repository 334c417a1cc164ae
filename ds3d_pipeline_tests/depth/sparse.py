"""Reconstruction records as COLMAP files."""

import numpy as np
import pycolmap

from ds3d_pipeline.geometry.cameras import project


def write_model(folder, model, suffix=""):
    """Writes a model whose views share one camera; `suffix` is added to the images' names."""
    folder.mkdir(parents=True)
    written = pycolmap.Reconstruction()
    view = model.views[0]
    params = [view.K[0, 0], view.K[1, 1], view.K[0, 2], view.K[1, 2]]
    width, height = view.image_size_wh
    camera = pycolmap.Camera(model="PINHOLE", width=width, height=height, params=params, camera_id=1)
    written.add_camera_with_trivial_rig(camera)
    elements = [[] for _ in model.points_in_world]
    for number, view in enumerate(model.views, 1):
        pixels, _ = project(view.K, view.cam_from_world, model.points_in_world[view.point_ids])
        name = f"{view.image}{suffix}"
        image = pycolmap.Image(name=name, camera_id=1, image_id=number, keypoints=pixels)
        written.add_image_with_trivial_frame(image, pycolmap.Rigid3d(view.cam_from_world[:3]))
        for place, point in enumerate(view.point_ids):
            elements[point].append(pycolmap.TrackElement(number, place))
    for point, seen in zip(model.points_in_world, elements, strict=True):
        if seen:
            added = written.add_point3D(point, pycolmap.Track(seen), np.zeros(3, np.uint8))
            written.points3D[added].error = 0.3
    written.write(str(folder))
