"""`python -m ds3d_pipeline.mesh INPUT OUTPUT [--backend NAME] [--options FILE]`."""

import sys

from ds3d_pipeline.mesh.options import MeshOptions
from ds3d_pipeline.mesh.stage import poisson, relief_of_best_view
from ds3d_pipeline.programs.contract import program_main

if __name__ == "__main__":
    sys.exit(program_main(MeshOptions, {"poisson": poisson, "relief": relief_of_best_view}))
