"""Intrinsics: given ones at keyframe size, and the refinement that ends the mapping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.scene import Float64, Keyframe

RADIAL_FROM = 15
"""Images of a camera from which a second radial coefficient is estimated."""
ROBUST_SCALE_PX = 1.0
"""Reprojection errors beyond this count less (Cauchy)."""
MAX_ITERATIONS, FUNCTION_TOLERANCE = 20, 1e-4
MAX_PRINCIPAL_SIGMA = 0.005
"""The principal point is refined where one pixel of noise leaves it this certain, of the longer side."""
MAX_PRINCIPAL_SHIFT = 0.02
"""Of the longer side: further off centre is a sign of wrong poses, not of the optics."""


def given_K(options: PosesOptions, frames: Sequence[Keyframe]) -> Float64 | None:
    """(3, 3) the user's intrinsics in pixels of the keyframes; None where none are given.

    Raises StageError where the frames have several sizes.
    """
    if options.K is None:
        return None
    K = np.asarray(options.K, np.float64)
    sizes = {(frame.source_size_wh, frame.size_wh) for frame in frames}
    (source_wh, size_wh), *others = sizes
    if others or source_wh is None:
        raise StageError(
            "poses.K holds for one camera, but the sizes of the photos differ or are unknown.",
            "Give photos of one camera and size, or leave K out.",
        )
    return K_scaled(K, (size_wh[0] / source_wh[0], size_wh[1] / source_wh[1]))


def refine(model: pycolmap.Reconstruction, *, fixed: bool) -> tuple[pycolmap.Reconstruction, str]:
    """Ends a mapping with a robust bundle adjustment of everything; also returns what was estimated.

    `fixed` leaves the intrinsics as they are.

    The second radial coefficient and the principal point come last and only where the images hold them:
    before, they would take up the errors of wrong poses. The model passed may change.
    """
    if fixed:
        _adjust(model, estimate="nothing")
        return model, "given"
    for camera in _used_cameras(model):
        images = sum(i.camera_id == camera.camera_id and i.has_pose for i in model.images.values())
        if camera.model_name == "SIMPLE_RADIAL" and images >= RADIAL_FROM:
            params = [*camera.params, 0.0]
            camera.model, camera.params = pycolmap.CameraModelId.RADIAL, params
    trial = pycolmap.Reconstruction(model)
    if _adjust(trial, estimate="all") and all(map(_is_centred, _used_cameras(trial))):
        return trial, "focal length, distortion and principal point"
    _adjust(model, estimate="optics")
    return model, "focal length and distortion"


def _used_cameras(model: pycolmap.Reconstruction) -> list[pycolmap.Camera]:
    used = {image.camera_id for image in model.images.values() if image.has_pose}
    return [model.cameras[camera_id] for camera_id in sorted(used)]


def _adjust(model: pycolmap.Reconstruction, *, estimate: Literal["nothing", "optics", "all"]) -> bool:
    """Whether it came out well; of "all" intrinsics, with certain principal points."""
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_focal_length = options.refine_extra_params = estimate != "nothing"
    options.refine_principal_point = estimate == "all"
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = ROBUST_SCALE_PX
    options.ceres.solver_options.max_num_iterations = MAX_ITERATIONS
    options.ceres.solver_options.num_threads = allowed_cpus()
    options.ceres.solver_options.function_tolerance = FUNCTION_TOLERANCE
    config = pycolmap.BundleAdjustmentConfig()
    for image_id in model.reg_image_ids():
        config.add_image(image_id)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, model)
    solved = adjuster.solve().is_solution_usable()
    model.update_point_3d_errors()
    return solved and (estimate != "all" or _is_certain(model, adjuster))


def _is_certain(model: pycolmap.Reconstruction, adjuster: pycolmap.CeresBundleAdjuster) -> bool:
    covariance = pycolmap.estimate_ba_covariance(pycolmap.BACovarianceOptions(), model, adjuster)
    if covariance is None:
        return False
    for camera in _used_cameras(model):
        of_camera = covariance.get_other_params_cov(camera.params)
        if of_camera is None:
            return False
        sigmas = np.sqrt(np.diag(of_camera))[list(camera.principal_point_idxs())]
        if not np.all(sigmas <= MAX_PRINCIPAL_SIGMA * max(camera.width, camera.height)):
            return False
    return True


def _is_centred(camera: pycolmap.Camera) -> bool:
    shift = [camera.principal_point_x - camera.width / 2, camera.principal_point_y - camera.height / 2]
    return bool(np.abs(shift).max() <= MAX_PRINCIPAL_SHIFT * max(camera.width, camera.height))
