"""How good and how fast the CPU's dense stereo, fusion and surface are, as tables.

    python benchmarks/dense.py [CAPTURE ...] [--side 768] [--sources 6] [--frames 16] [--no-synthetic]
                               [--no-mesh] [--views N] [--scenes slender painted] [--fill]

Two synthetic scenes with exact truth come first: `slender` (steep ramps, thin boards and posts, textured)
and `painted` (a room in nearly even paint). Poses and sparse points are the true ones there, the points
on corners only. Then every CAPTURE, a COLMAP folder with `images/` and `sparse/` (undistorted) such as a
finished capture: a fifth of its sparse points are kept out of matching, and the maps are measured at them.

Maps hold uncertain depths too, which were matched while other views do not agree: `cover` counts them, as do
the errors at held-out points and the shares `within`; `agreed` and `right` are of the depths that stages
build on.

`--fill` (which needs the extra `test`, and PYTHONPATH=.) makes the scenes again with holes filled by ONNX
models that know the true disparity, exactly or but for an error.

`cpu s` is the CPU time of all threads per map: on a quiet machine of two cores a map takes about half of it.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.evaluation.accuracy import surface_accuracy
from ds3d_pipeline.evaluation.depth import heldout_errors, hold_out, score_depth
from ds3d_pipeline.formats.colmap import (
    model_folder,
    read_depth_maps,
    read_reconstruction,
    write_reconstruction,
)
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.geometry.alignment import Sim3
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.programs.runner import run_program
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.model import true_depths, true_model, views_of_pixels
from ds3d_pipeline.synthetic.options import CameraOptions, SceneOptions, SyntheticOptions
from ds3d_pipeline.synthetic.truth import load_truth

SCENES = ("slender", "painted")
STAND_INS = (0.0, 0.03, 0.08)
"""Relative errors of the models that fill holes with `--fill`."""
THRESHOLDS = (0.005, 0.01)
HELD_OUT = 0.2
SPARSE_POINTS = 3000
IDENTITY = Sim3(scale=1.0, R=np.eye(3), t=np.zeros(3))


def run(stage: str, folder: Path, options) -> tuple[dict, float, float, float]:
    """Runs a stage on `folder`, into it; returns its result, seconds, CPU seconds and peak memory in MB."""
    output = folder / f"{stage}.out"
    output.mkdir(exist_ok=True)
    write_json(folder / f"{stage}.json", options)
    module = (sys.executable, "-m", f"ds3d_pipeline.{stage}", str(folder), str(output))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Idle OpenMP threads that spin would count as work.
    env = os.environ | {"OMP_WAIT_POLICY": "passive"}
    argv = (*module, "--options", str(folder / f"{stage}.json"))
    done = run_program(argv, output, log_path=folder / f"{stage}.log", env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    for path in output.iterdir():
        path.rename(folder / path.name)
    return done.result, done.seconds, cpu, done.peak_memory_mb


def depth_options(args) -> DepthOptions:
    return DepthOptions(max_side_px=args.side, source_views=args.sources)


def warm_up(args, scratch: Path) -> None:
    """Compiles the kernels, which are cached, so that no timing holds it."""
    film(scratch / "warm", "relief", 4, (160, 120))
    start = time.perf_counter()
    run("depth", scratch / "warm", replace(depth_options(args), max_side_px=160))
    print(f"kernels ready after {time.perf_counter() - start:.1f} s")


def film(folder: Path, scene: str, frames: int, size_wh: tuple[int, int]):
    """Makes a synthetic capture with its true model as a COLMAP folder."""
    camera = CameraOptions(size_wh=size_wh, focal_px=0.875 * size_wh[0])
    truth = make_capture(
        folder, SyntheticOptions(scene=SceneOptions(name=scene), camera=camera, frames=frames)
    )
    depths = true_depths(truth)
    write_reconstruction(folder / "sparse", true_model(truth, depths, SPARSE_POINTS))
    return truth, depths


def synthetic_depth(args, scratch: Path) -> None:
    """Depth against the truth of its own size, over all maps."""
    print(f"\nSynthetic truth, maps of {args.side} px, {args.frames} photos. 3+ views: shares of the pixels"
          " that three or more photos see;\nright: shares of the depths given.")  # fmt: skip
    print(f"{'scene':10}{'3+ views: cover':>16}{'agreed':>8}{'within .5%':>11}{'within 1%':>10}"
          f"{'right: .5%':>12}{'1%':>8}{'median err':>12}{'s/map':>8}{'cpu s':>7}{'peak MB':>9}")  # fmt: skip
    for scene in args.scenes:
        truth, depths = film(scratch / scene, scene, args.frames, (args.side, args.side * 3 // 4))
        _, seconds, cpu, peak = run("depth", scratch / scene, depth_options(args))
        maps = read_depth_maps(scratch / scene, read_reconstruction(scratch / scene / "sparse"))
        seen = [views_of_pixels(truth, depths, index) >= 3 for index in range(len(maps))]
        scores, agreed = (
            [score_depth(*three, THRESHOLDS) for three in zip(found, depths, seen, strict=True)]
            for found in ([one.depth for one in maps], [one.certain().depth for one in maps])
        )
        within = np.mean([score.within for score in scores], axis=0)
        correct = np.mean([score.correct for score in agreed], axis=0)
        cover, sure = (np.mean([score.coverage for score in some]) for some in (scores, agreed))
        median = np.mean([score.median_error for score in agreed])
        print(f"{scene:10}{cover:16.1%}{sure:8.1%}{within[0]:11.1%}{within[1]:10.1%}"
              f"{correct[0]:12.1%}{correct[1]:8.1%}{median:12.3%}"
              f"{seconds / len(maps):8.2f}{cpu / len(maps):7.2f}{peak:9.0f}", flush=True)  # fmt: skip


def surface_header() -> None:
    print("\nSurface against the truth, thresholds in percent of the scene's size")
    print(f"{'scene':20}{'points':>9}{'fuse s':>8}{'cpu s':>7}{'faces':>8}{'mesh s':>8}{'chamfer':>9}"
          f"{'F .5%':>8}{'F 1%':>7}{'prec 1%':>9}{'rec 1%':>8}")  # fmt: skip


def surface_row(name: str, folder: Path, truth) -> None:
    """Fused points and mesh against the true surface; the scene's size is the diagonal of all seen points."""
    size = float(np.linalg.norm(np.ptp(truth.seen_points, axis=0)))
    points, fuse_s, fuse_cpu, _ = run("pointcloud", folder, MODES["balanced"].pointcloud)
    faces, mesh_s, _, _ = run("mesh", folder, MODES["balanced"].mesh)
    mesh, _ = read_glb(folder / "model.glb")
    report = surface_accuracy(mesh, IDENTITY, truth, thresholds=(0.005 * size, 0.01 * size))
    half, one = report.scores
    print(f"{name:20}{points['points']:9d}{fuse_s:8.1f}{fuse_cpu:7.1f}{faces['faces']:8d}{mesh_s:8.1f}"
          f"{report.chamfer / size:9.3%}{half.f_score:8.3f}{one.f_score:7.3f}{one.precision:9.3f}"
          f"{one.recall:8.3f}", flush=True)  # fmt: skip


def filled(args, scratch: Path) -> None:
    """Depth with holes filled by models that stand in for a learned one, and the surfaces from it."""
    from ds3d_pipeline.depth.learned.hole_filling import ESTIMATED_CONFIDENCE
    from ds3d_pipeline.formats.images import read_rgb
    from ds3d_pipeline_tests.depth.onnx_models import stand_in

    print("\nHoles filled by models that know the true disparity but for an error, edges and a bent scale")
    print(f"{'scene':20}{'estimated':>10}{'right: 1%':>11}{'2%':>8}{'s/map':>8}")
    folders = []
    for scene in args.scenes:
        truth = load_truth(scratch / scene)
        depths = true_depths(truth)
        photos = [read_rgb(truth.input / frame.image) for frame in truth.frames]
        for off in STAND_INS:
            folder = scratch / f"{scene} off {off:.0%}"
            folder.mkdir()
            for name in ("images", "sparse"):
                (folder / name).symlink_to(scratch / scene / name)
            model = stand_in(folder / "model.onnx", photos, depths, off)
            options = replace(depth_options(args), fill_holes=True, model=str(model))
            result, seconds, _, _ = run("depth", folder, options)
            right = []
            for found, depth in zip(
                read_depth_maps(folder, read_reconstruction(folder / "sparse")), depths, strict=True
            ):
                error = np.abs(found.depth / np.where(depth > 0, depth, 1e-9) - 1)
                right.append(error[np.isclose(found.confidence, ESTIMATED_CONFIDENCE) & (found.depth > 0)])
            error = np.concatenate(right)
            print(f"{folder.name:20}{result['estimated']:10.1%}{(error < 0.01).mean():11.1%}"
                  f"{(error < 0.02).mean():8.1%}{seconds / len(depths):8.2f}", flush=True)  # fmt: skip
            folders.append((folder, truth))
    surface_header()
    for folder, truth in folders:
        surface_row(folder.name, folder, truth)


def captures(args, scratch: Path) -> None:
    """Coverage, and relative error at held-out sparse points."""
    print(f"\nCaptures, maps of {args.side} px, {HELD_OUT:.0%} of the sparse points held out")
    print(f"{'capture':16}{'maps':>5}{'cover':>8}{'agreed':>8}{'points':>8}{'on holes':>9}{'median':>9}"
          f"{'90th':>8}{'over 1%':>9}{'s/map':>8}{'cpu s':>7}{'peak MB':>9}")  # fmt: skip
    for source in args.captures:
        folder = scratch / source.name
        folder.mkdir()
        (folder / "images").symlink_to((source / "images").resolve())
        model = read_reconstruction(model_folder(source) or source / "sparse")
        if args.views:
            model = replace(model, views=model.views[: args.views])
        kept, out = hold_out(model, HELD_OUT)
        write_reconstruction(folder / "sparse", kept)
        result, seconds, cpu, peak = run("depth", folder, depth_options(args))
        maps = read_depth_maps(folder, kept)
        found = [heldout_errors(one, view, model, out) for one, view in zip(maps, model.views, strict=True)]
        errors, total = np.concatenate([e for e, _ in found]), sum(count for _, count in found)
        print(f"{source.name[:15]:16}{len(maps):5d}{result['coverage'] + result['uncertain']:8.1%}"
              f"{result['coverage']:8.1%}{total:8d}"
              f"{1 - len(errors) / total:9.1%}{np.median(errors):9.3%}{np.percentile(errors, 90):8.3%}"
              f"{(errors > 0.01).mean():9.1%}{seconds / len(maps):8.2f}{cpu / len(maps):7.2f}{peak:9.0f}",
              flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("captures", type=Path, nargs="*", metavar="CAPTURE")
    parser.add_argument("--side", type=int, default=MODES["balanced"].depth_maps.max_side_px)
    parser.add_argument("--sources", type=int, default=MODES["balanced"].depth_maps.source_views)
    parser.add_argument("--frames", type=int, default=16, help="photos of each synthetic scene")
    parser.add_argument("--views", type=int, help="use only so many views of every capture")
    parser.add_argument("--scenes", nargs="+", default=SCENES, choices=SCENES)
    parser.add_argument("--fill", action="store_true", help="also with holes filled by depth models")
    parser.add_argument("--no-synthetic", action="store_true")
    parser.add_argument("--no-mesh", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ds3d-dense-") as scratch:
        warm_up(args, Path(scratch))
        if not args.no_synthetic:
            synthetic_depth(args, Path(scratch))
        if not (args.no_synthetic or args.no_mesh):
            surface_header()
            for scene in args.scenes:
                surface_row(scene, Path(scratch) / scene, load_truth(Path(scratch) / scene))
        if args.fill and not args.no_synthetic:
            filled(args, Path(scratch))
        if args.captures:
            captures(args, Path(scratch))


if __name__ == "__main__":
    main()
