"""`python -m ds3d_pipeline.poses INPUT OUTPUT [--backend NAME] [--options FILE]`."""

import sys

from ds3d_pipeline.poses.colmap.container_stage import read_models, write_script
from ds3d_pipeline.poses.colmap.pycolmap_stage import map_with_pycolmap
from ds3d_pipeline.poses.opencv.stage import map_with_opencv
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.poses.single import single_view
from ds3d_pipeline.programs.contract import program_main

if __name__ == "__main__":
    backends = {
        "pycolmap": map_with_pycolmap,
        "colmap-script": write_script,
        "colmap-container": read_models,
        "opencv": map_with_opencv,
        "single": single_view,
    }
    sys.exit(program_main(PosesOptions, backends))
