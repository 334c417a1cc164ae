"""`python -m ds3d_pipeline.keyframes INPUT OUTPUT`."""

import sys

from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.stage import choose_keyframes
from ds3d_pipeline.programs.contract import program_main

if __name__ == "__main__":
    sys.exit(program_main(KeyframesOptions, {"local": choose_keyframes}))
