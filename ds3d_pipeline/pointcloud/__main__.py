"""`python -m ds3d_pipeline.pointcloud INPUT OUTPUT`."""

import sys

from ds3d_pipeline.pointcloud.options import PointcloudOptions
from ds3d_pipeline.pointcloud.stage import fuse
from ds3d_pipeline.programs.contract import program_main

if __name__ == "__main__":
    sys.exit(program_main(PointcloudOptions, {"fusion": fuse}))
