"""The shell script that maps keyframes with COLMAP's own command line, whatever its version."""

from __future__ import annotations

from collections.abc import Sequence

from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.programs.colmap_cli import PREAMBLE, Options, command_line, report_progress
from ds3d_pipeline.scene import Float64, Keyframe

DATABASE, MODELS, PAIRS = "database.db", "sparse", "pairs.txt"


def make_script(frames: Sequence[Keyframe], options: PosesOptions, K: Float64 | None) -> str:
    """Features of each camera's images, matches of the pairs in `pairs.txt`, and the models in `sparse/`."""
    lines = [PREAMBLE]
    for camera in cameras_of(frames):
        frame = next(frame for frame in frames if frame.camera == camera)
        lines += [
            report_progress(0.05, "features in COLMAP"),
            command_line("feature_extractor", _extract(frame, options, K)),
        ]
    lines += [report_progress(0.3, "matching in COLMAP"), command_line("matches_importer", _match(options))]
    lines += [report_progress(0.5, "mapping in COLMAP"), f'mkdir -p "$scratch/{MODELS}"']
    return "\n".join([*lines, command_line("mapper", _map(options)), ""])


def cameras_of(frames: Sequence[Keyframe]) -> list[int]:
    """Numbers of the cameras, each once."""
    return sorted({frame.camera for frame in frames})


def list_name(camera: int) -> str:
    """The file in `scratch` that lists a camera's images."""
    return f"camera-{camera}.txt"


def _common(options: PosesOptions) -> Options:
    return {"database_path": f"$scratch/{DATABASE}", "default_random_seed|random_seed": options.seed}


def _extract(frame: Keyframe, options: PosesOptions, K: Float64 | None) -> Options:
    """For the camera of this frame, as `features.fill_database` sets it up."""
    params = _params(frame, K)
    return {
        **_common(options),
        "image_path": "$input/images",
        "image_list_path": f"$scratch/{list_name(frame.camera)}",
        "ImageReader.single_camera": 1,
        "ImageReader.camera_model": "SIMPLE_RADIAL" if K is None else "PINHOLE",
        **({"ImageReader.camera_params": ",".join(f"{p:.10g}" for p in params)} if params else {}),
        "FeatureExtraction.max_image_size|SiftExtraction.max_image_size": options.max_side_px,
        "SiftExtraction.max_num_features": options.max_features,
        "FeatureExtraction.use_gpu|SiftExtraction.use_gpu": "$gpu",
    }


def _params(frame: Keyframe, K: Float64 | None) -> list[float]:
    """None where COLMAP is to guess."""
    if K is not None:
        return [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    width, height = frame.size_wh
    return [frame.focal_px, width / 2, height / 2, 0.0] if frame.focal_px else []


def _match(options: PosesOptions) -> Options:
    return {
        **_common(options),
        "match_list_path": f"$scratch/{PAIRS}",
        "match_type": "pairs",
        "FeatureMatching.use_gpu|SiftMatching.use_gpu": "$gpu",
        "TwoViewGeometry.random_seed": options.seed,
    }


def _map(options: PosesOptions) -> Options:
    """COLMAP's defaults, with what `mapping.pipeline_options` changes of them for speed."""
    refined = int(options.K is None)
    return {
        **_common(options),
        "image_path": "$input/images",
        "output_path": f"$scratch/{MODELS}",
        "Mapper.random_seed": options.seed,
        "Mapper.min_model_size": 3,
        "Mapper.extract_colors": 0,
        "Mapper.ba_global_frames_ratio|Mapper.ba_global_images_ratio": 1.4,
        "Mapper.ba_global_points_ratio": 1.4,
        "Mapper.ba_global_max_refinements": 2,
        "Mapper.ba_local_max_refinements": 1,
        "Mapper.ba_refine_focal_length": refined,
        "Mapper.ba_refine_extra_params": refined,
    }
