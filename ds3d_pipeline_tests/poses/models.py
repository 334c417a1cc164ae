"""Exact synthetic COLMAP models: one camera (640 x 480) on many frames around random points."""

import numpy as np
import pycolmap

PARAMS = (600, 320, 240, 0.05)


def make_model(frames=8, points=80, noise_px=0.0, params=PARAMS, model="SIMPLE_RADIAL", database=None):
    """The model; its matches go into `database` where one is given."""
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, frames
    options.num_points3D = points
    options.camera_width, options.camera_height = 640, 480
    options.camera_model_id = getattr(pycolmap.CameraModelId, model)
    options.camera_params = list(params)
    pycolmap.set_random_seed(1)
    made = pycolmap.synthesize_dataset(options, database)
    random = np.random.default_rng(1)
    for image in made.images.values() if noise_px else ():
        for point in image.points2D:
            point.xy = point.xy + random.normal(0, noise_px, 2)
    return made


def centres(model):
    """(N, 3) of the registered images in the order of their names."""
    images = sorted((model.images[i] for i in model.reg_image_ids()), key=lambda image: image.name)
    return np.stack([image.projection_center() for image in images])
