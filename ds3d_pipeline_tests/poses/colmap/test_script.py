"""The script, run by a shell with a stand-in that knows the options of COLMAP 3.8 or 4.x and notes its calls.

The real 3.8 runs in `defs/test_colmap_container.py`.
"""

import json

import numpy as np
import pytest

from ds3d_pipeline.poses.colmap.script import make_script
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.scene import Keyframe
from ds3d_pipeline_tests.colmap_stand_in import run_script

EXTRACTOR = """  --database_path arg
  --image_path arg
  --image_list_path arg
  --ImageReader.camera_model arg (=SIMPLE_RADIAL)
  --ImageReader.single_camera arg (=0)
  --ImageReader.camera_params arg
  --SiftExtraction.max_num_features arg (=8192)
"""
IMPORTER = "  --database_path arg\n  --match_list_path arg\n  --match_type arg (=pairs)\n"
MAPPER = """  --database_path arg
  --image_path arg
  --output_path arg
  --Mapper.min_model_size arg (=10)
  --Mapper.ba_refine_focal_length arg (=1)
  --Mapper.ba_refine_extra_params arg (=1)
"""
KNOWS = {
    "3.8": {
        "help": "COLMAP 3.8 -- Structure-from-Motion\n (Commit Unknown on Unknown without CUDA)\n",
        "feature_extractor": EXTRACTOR
        + "  --random_seed arg\n  --SiftExtraction.use_gpu arg\n  --SiftExtraction.max_image_size arg\n",
        "matches_importer": IMPORTER + "  --SiftMatching.use_gpu arg (=1)\n",
        "mapper": MAPPER + "  --Mapper.ba_global_images_ratio arg\n",
    },
    "4.1": {
        "help": "COLMAP 4.1 -- Structure-from-Motion\n (Commit 0 on 2026-01-01 with CUDA)\n",
        "feature_extractor": EXTRACTOR
        + "  --default_random_seed arg\n  --FeatureExtraction.use_gpu arg\n"
        + "  --FeatureExtraction.max_image_size arg\n",
        "matches_importer": IMPORTER + "  --FeatureMatching.use_gpu arg (=1)\n",
        "mapper": MAPPER + "  --Mapper.random_seed arg\n  --Mapper.ba_global_frames_ratio arg\n",
    },
}


def frame(number: int, *, camera: int = 0, focal_px: float | None = None) -> Keyframe:
    return Keyframe(
        image=f"{number:06}.jpg",
        source="",
        timestamp_s=None,
        sharpness=1.0,
        size_wh=(640, 480),
        camera=camera,
        focal_px=focal_px,
    )


def call(tmp_path, version, frames, *, gpu="0", K=None, **options):
    """The calls of COLMAP that the script makes: command and options of each, in order."""
    output = tmp_path / "out put"
    (output / "scratch").mkdir(parents=True)
    script = make_script(frames, PosesOptions(K=K, **options), np.array(K) if K else None)
    (output / "scratch" / "colmap.sh").write_text(script)
    return run_script(tmp_path, KNOWS[version], tmp_path / "in put", output, gpu=gpu)


@pytest.mark.parametrize(("version", "new"), [("3.8", False), ("4.1", True)])
def test_options_have_the_names_of_the_version(tmp_path, version, new):
    extract, match, mapper = call(tmp_path, version, [frame(1), frame(2)], max_side_px=999, seed=7)
    assert [extract[0], match[0], mapper[0]] == ["feature_extractor", "matches_importer", "mapper"]
    prefix = "--FeatureExtraction" if new else "--SiftExtraction"
    assert extract[1][f"{prefix}.max_image_size"] == "999"
    assert extract[1][f"{prefix}.use_gpu"] == "0"
    assert extract[1]["--default_random_seed" if new else "--random_seed"] == "7"
    assert match[1]["--FeatureMatching.use_gpu" if new else "--SiftMatching.use_gpu"] == "0"
    ratio = "--Mapper.ba_global_frames_ratio" if new else "--Mapper.ba_global_images_ratio"
    assert mapper[1][ratio] == "1.4"
    assert ("--Mapper.random_seed" in mapper[1]) == new


def test_folders_may_have_spaces(tmp_path):
    extract, _, mapper = call(tmp_path, "3.8", [frame(1)])
    assert extract[1]["--image_path"] == str(tmp_path / "in put" / "images")
    assert mapper[1]["--output_path"] == str(tmp_path / "out put" / "scratch" / "sparse")
    assert (tmp_path / "out put" / "scratch" / "version.txt").read_text().startswith("COLMAP 3.8")


@pytest.mark.parametrize(
    ("version", "gpu", "used"), [("4.1", "1", "1"), ("4.1", "0", "0"), ("3.8", "1", "0")]
)
def test_the_gpu_is_used_where_there_is_one_and_the_build_can(tmp_path, version, gpu, used):
    calls = call(tmp_path, version, [frame(1)], gpu=gpu)
    told = [value for _, options in calls for name, value in options.items() if name.endswith("use_gpu")]
    assert told == [used, used]


def test_every_camera_has_its_own_images_and_focal_length(tmp_path):
    frames = [frame(1, focal_px=500.0), frame(2, camera=3), frame(3, focal_px=500.0)]
    first, second, *_ = call(tmp_path, "3.8", frames)
    assert first[1]["--image_list_path"].endswith("camera-0.txt")
    assert first[1]["--ImageReader.camera_params"] == "500,320,240,0"
    assert second[1]["--image_list_path"].endswith("camera-3.txt")
    assert "--ImageReader.camera_params" not in second[1]


def test_given_intrinsics_are_kept(tmp_path):
    K = ((500.0, 0.0, 321.0), (0.0, 501.0, 241.0), (0.0, 0.0, 1.0))
    extract, _, mapper = call(tmp_path, "4.1", [frame(1)], K=K)
    assert extract[1]["--ImageReader.camera_model"] == "PINHOLE"
    assert extract[1]["--ImageReader.camera_params"] == "500,501,321,241"
    assert mapper[1]["--Mapper.ba_refine_focal_length"] == "0"


def test_progress_is_told(tmp_path):
    call(tmp_path, "3.8", [frame(1)])
    lines = (tmp_path / "out put" / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["fraction"] for line in lines] == [0.05, 0.3, 0.5]
