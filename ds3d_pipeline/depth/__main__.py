"""`python -m ds3d_pipeline.depth INPUT OUTPUT [--backend NAME] [--options FILE]`."""

import sys

from ds3d_pipeline.depth.colmap import write_script
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stage import (
    card_depth,
    colmap_depth,
    interpolate_depth,
    monocular_depth,
    patchmatch_depth,
)
from ds3d_pipeline.programs.contract import program_main

if __name__ == "__main__":
    backends = {
        "patchmatch": patchmatch_depth,
        "colmap-script": write_script,
        "colmap-container": colmap_depth,
        "monocular": monocular_depth,
        "interpolation": interpolate_depth,
        "card": card_depth,
    }
    sys.exit(program_main(DepthOptions, backends))
