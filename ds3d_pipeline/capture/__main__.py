"""`python -m ds3d_pipeline.capture INPUT OUTPUT`."""

import sys

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.capture.stage import stage_capture
from ds3d_pipeline.programs.contract import program_main

if __name__ == "__main__":
    sys.exit(program_main(CaptureOptions, {"local": stage_capture}))
