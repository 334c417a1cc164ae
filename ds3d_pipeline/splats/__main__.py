"""`python -m ds3d_pipeline.splats INPUT OUTPUT [--backend NAME] [--options FILE]`."""

import sys

from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.program import program_main
from ds3d_pipeline.splats.stage import cpu, light

if __name__ == "__main__":
    sys.exit(program_main(SplatOptions, {"light": light, "cpu": cpu}))
