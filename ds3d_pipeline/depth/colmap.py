"""Depth by COLMAP's CUDA stereo (Schoenberger et al., ECCV 2016) in a container: its script and its maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.report import DepthScript
from ds3d_pipeline.depth.stereo.view_selection import source_views
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_array, read_reconstruction
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.programs.colmap_cli import PREAMBLE, SCRIPT, Options, command_line, report_progress
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.scene import DepthMap, Reconstruction, View

WORKSPACE, SOURCES = "dense", "patch-match.cfg"
AGREEING = 2
"""Other views that must agree with a depth."""
CONFIDENCE = 1 - 0.5**AGREEING
"""As `consistency.filtered_map` rates a perfect match with so many agreeing views; COLMAP reports no more."""
LINKS = """dense="$scratch/dense"
ln -s "$input/images" "$dense/images"
ln -s "$input/sparse" "$dense/sparse"
mkdir -p "$dense/stereo/depth_maps" "$dense/stereo/normal_maps" "$dense/stereo/consistency_graphs"
"""


def write_script(work: Work[DepthOptions]) -> DepthScript:
    """Writes `scratch/` with the script and the source views of each view.

    Raises StageError if fewer than two views have enough points in common with another.
    """
    model = read_reconstruction(work.input / "sparse")
    chosen = source_views(model, work.options.source_views)
    paired = sum(len(sources) > 0 for sources in chosen)
    if paired < 2:
        raise StageError(
            f"No two views have enough sparse points in common ({plural(len(chosen), 'view')}).",
            "Film again with more overlap between views.",
        )
    scratch = clear_folder(work.output / "scratch")
    stereo = clear_folder(scratch / WORKSPACE / "stereo")
    lines = [
        f"{view.image}\n{', '.join(model.views[source].image for source in sources)}\n"
        for view, sources in zip(model.views, chosen, strict=True)
        if len(sources)
    ]
    (stereo / SOURCES).write_text("".join(lines), encoding="utf-8")
    (scratch / SCRIPT).write_text(make_script(work.options), encoding="utf-8")
    return DepthScript(views=paired)


def make_script(options: DepthOptions) -> str:
    """Photometric, then geometric stereo of the views in `patch-match.cfg`."""
    return "\n".join([PREAMBLE, LINKS, report_progress(0.05, "stereo in COLMAP"), _stereo(options), ""])


def _stereo(options: DepthOptions) -> str:
    words: Options = {
        "workspace_path": "$dense",
        "default_random_seed|random_seed": options.seed,
        "PatchMatchStereo.max_image_size": options.max_side_px,
        "PatchMatchStereo.geom_consistency": 1,
        "PatchMatchStereo.filter": 1,
        "PatchMatchStereo.filter_min_num_consistent": AGREEING,
    }
    return command_line("patch_match_stereo", words)


def read_maps(folder: Path, model: Reconstruction) -> Iterator[DepthMap]:
    """The maps of a COLMAP workspace, of the views that it has maps of.

    Raises StageError where there are none, and where one is damaged.
    """
    stereo = folder / "stereo"
    found = [view for view in model.views if (stereo / "depth_maps" / _name(view)).is_file()]
    if not found:
        raise StageError("COLMAP's stereo left no depth map.", "See its log, or use the patchmatch backend.")
    for view in found:
        yield _read_map(stereo, view)


def _read_map(stereo: Path, view: View) -> DepthMap:
    depth = read_array(stereo / "depth_maps" / _name(view))
    normals = read_array(stereo / "normal_maps" / _name(view))
    if normals.shape != (*depth.shape, 3):
        raise StageError(f"COLMAP's maps of {view.image} differ in size.", "Run depth_maps again.")
    known = np.isfinite(depth) & (depth > 0) & np.isfinite(normals).all(axis=2)
    height, width = depth.shape
    return DepthMap(
        image=view.image,
        depth=np.where(known, depth, 0).astype(np.float32),
        normals=np.where(known[..., None], normals, 0).astype(np.float32),
        confidence=np.where(known, CONFIDENCE, 0).astype(np.float32),
        K=K_scaled(view.K, (width / view.image_size_wh[0], height / view.image_size_wh[1])),
    )


def _name(view: View) -> str:
    return f"{view.image}.geometric.bin"
