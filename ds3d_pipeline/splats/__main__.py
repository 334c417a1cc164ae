"""Trains a 3D Gaussian splat from any COLMAP folder, on the CPU (or with `--backend gsplat` on CUDA).

INPUT holds `images/` and `sparse/` (undistorted PINHOLE cameras, binary), and optionally `pointcloud.ply` or
`points.ply` (dense points to begin from; else the sparse ones) and `masks/<image>.png` (0: ignore).
OUTPUT receives `splat.ply` (3DGS convention), `splat.ply.gz`, `splat.spz`, `splat.glb`
(KHR_gaussian_splatting), `result.json` (scores on held-out photos), `progress.jsonl`, `previews/` and
`heldout/` (splat beside photo). The same command goes on from the last checkpoint after a break.
"""

import sys

from ds3d_pipeline.programs.contract import program_main
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.stage import cpu, gsplat, light

if __name__ == "__main__":
    sys.exit(program_main(SplatOptions, {"cpu": cpu, "gsplat": gsplat, "light": light}))
