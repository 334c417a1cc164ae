"""COLMAP's incremental mapping (Schoenberger and Frahm, CVPR 2016), tuned for few cores, and its models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ds3d_pipeline.programs.colmap_library import pycolmap
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.limits import allowed_cpus

CHUNK = 200
"""Pairs matched between two reports of progress."""


def match_pairs(
    database: Path, pairs: Sequence[tuple[str, str]], *, seed: int, report: Callable[..., None]
) -> None:
    """Matches and verifies the named pairs of images; pairs that are already there are left alone."""
    matching = pycolmap.FeatureMatchingOptions(use_gpu=False, num_threads=allowed_cpus())
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    listed = database.with_name("pairs.txt")
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        listed.write_text("".join(f"{first} {second}\n" for first, second in chunk), encoding="utf-8")
        pycolmap.match_image_pairs(
            database,
            matching_options=matching,
            pairing_options=pycolmap.ImportedPairingOptions(match_list_path=listed),
            verification_options=verification,
            device=pycolmap.Device.cpu,
        )
        done = start + len(chunk)
        report(done / len(pairs), f"matched {done} of {len(pairs)} pairs")


MIN_COMMON_IMAGES = 3
"""Images that two models must share to be merged."""
log = logging.getLogger(__name__)


def map_images(
    database: Path,
    images: Path,
    folder: Path,
    options: pycolmap.IncrementalPipelineOptions,
    report: Callable[[int], None],
) -> pycolmap.Reconstruction | None:
    """The best model by registered images, then points, after merging what overlaps; None for none.

    `folder` is emptied; `report` is called with the number of images registered so far.
    """
    registered = 0

    def step() -> None:
        nonlocal registered
        registered += 1
        report(registered)

    models = pycolmap.incremental_mapping(
        database, images, clear_folder(folder), options=options, next_image_callback=step
    )
    return merge(list(models.values()), database, images, folder, options)


def pipeline_options(
    *, seed: int, loose: bool, fixed_intrinsics: bool
) -> pycolmap.IncrementalPipelineOptions:
    """COLMAP's defaults with rarer and shorter adjustments: `intrinsics.refine` adjusts all in the end.

    Measured, that takes half the time, of long walks less, and places the same images as well.
    """
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size, options.random_seed = 3, seed
    options.extract_colors = False
    options.num_threads = allowed_cpus()
    options.ba_global_frames_ratio = options.ba_global_points_ratio = 1.4
    options.ba_global_max_refinements = options.ba_local_max_refinements = 1
    options.ba_global_max_num_iterations, options.ba_local_max_num_iterations = 20, 12
    options.ba_global_function_tolerance = options.ba_local_function_tolerance = 1e-4
    options.mapper.ba_local_num_images = 4
    options.mapper.ba_global_ignore_redundant_points3D = True
    if fixed_intrinsics:
        options.ba_refine_focal_length = options.ba_refine_extra_params = False
        options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = False
    if loose:
        options.min_num_matches = 10
        options.mapper.init_min_num_inliers = 40
        options.mapper.init_min_tri_angle = 5.0
        options.mapper.abs_pose_min_num_inliers = 15
        options.mapper.abs_pose_min_inlier_ratio = 0.15
    return options


def size_of(model: pycolmap.Reconstruction | None) -> tuple[int, int]:
    """What makes a model better than another: registered images, then points."""
    return (0, 0) if model is None else (model.num_reg_images(), model.num_points3D())


def merge(
    models: Sequence[pycolmap.Reconstruction],
    database: Path,
    images: Path,
    scratch: Path,
    options: pycolmap.IncrementalPipelineOptions,
) -> pycolmap.Reconstruction | None:
    """The best model, with the images of the others that share enough of its images; None for none."""
    if not models:
        return None
    best, *others = sorted(models, key=size_of, reverse=True)
    grown = [add_images(best, other) for other in others]
    if not any(grown):
        return best
    log.info("merged models to %d images", best.num_reg_images())
    return pycolmap.triangulate_points(
        best, database, images, clear_folder(scratch / "merged"), clear_points=False, options=options
    )


def add_images(target: pycolmap.Reconstruction, other: pycolmap.Reconstruction) -> bool:
    """Places the images that only `other` has in `target`, without points; whether there were any.

    Changes both. Models that share too few images, or do not fit onto each other, stay as they are.
    """
    common = {image_id for image_id, _ in target.find_common_reg_image_ids(other)}
    new = [image_id for image_id in other.reg_image_ids() if image_id not in common]
    if len(common) < MIN_COMMON_IMAGES or not new:
        return False
    target_from_other = pycolmap.align_reconstructions_via_reprojections(other, target)
    if target_from_other is None:
        return False
    other.transform(target_from_other)
    for image_id in new:
        _copy_image(target, other, image_id)
    return True


def _copy_image(target: pycolmap.Reconstruction, other: pycolmap.Reconstruction, image_id: int) -> None:
    source = other.images[image_id]
    if not target.exists_camera(source.camera_id):
        target.add_camera(other.cameras[source.camera_id])
        target.add_rig(other.rigs[other.frames[source.frame_id].rig_id])
    if not target.exists_frame(source.frame_id):
        frame = pycolmap.Frame()
        frame.frame_id, frame.rig_id = source.frame_id, other.frames[source.frame_id].rig_id
        frame.add_data_id(source.data_id)
        target.add_frame(frame)
    target.frames[source.frame_id].rig_from_world = other.frames[source.frame_id].rig_from_world
    if not target.exists_image(image_id):
        image = pycolmap.Image(
            name=source.name,
            keypoints=[point.xy for point in source.points2D],
            camera_id=source.camera_id,
            image_id=image_id,
        )
        image.frame_id = source.frame_id
        target.add_image(image)
    target.register_frame(source.frame_id)
