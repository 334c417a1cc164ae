"""Speed and quality of the CPU splat trainer, as tables.

    python benchmarks/splats.py speed FOLDER [--sides 384 768] [--gaussians 15000 50000]
    python benchmarks/splats.py quality FOLDER [--side 768] [--gaussians 30000] [--seconds 10 40]
                                               [--heldout 0003.jpg 0008.jpg]

FOLDER is any COLMAP folder with `images/` and `sparse/` (undistorted), such as a finished capture. `speed`
prints milliseconds by part of one iteration on its middle photo; `quality` trains once for each time limit
and scores the photos named (by default every 8th, from the first), which training does not see.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ds3d_pipeline.options import SplatOptions
from ds3d_pipeline.scene import PointCloud
from ds3d_pipeline.splats.inputs import as_float, read_cameras, read_photo, read_points
from ds3d_pipeline.splats.layout import rows_from_gaussians
from ds3d_pipeline.splats.light import light_splat
from ds3d_pipeline.splats.losses import loss_and_gradient
from ds3d_pipeline.splats.optimizer import adam_step, fresh_state
from ds3d_pipeline.splats.render import render, render_backward
from ds3d_pipeline.splats.schedule import Recipe
from ds3d_pipeline.splats.scores import photo_camera, score
from ds3d_pipeline.splats.train import train, training_start
from ds3d_pipeline.splats.warm import compile_kernels

REPEATS = 7
SH_DEGREE = 2


def crowded(points: PointCloud, count: int) -> PointCloud:
    """The points repeated with jitter, or thinned, to `count`."""
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(points.points_in_world), count, replace=count > len(points.points_in_world))
    spread = 0.01 * points.points_in_world.std()
    jitter = rng.normal(0, spread, (count, 3)).astype(np.float32)
    return PointCloud(
        points_in_world=points.points_in_world[chosen] + jitter,
        normals=points.normals[chosen],
        colors=points.colors[chosen],
    )


def iteration_ms(rows, photo):
    """Milliseconds of one iteration's parts: draw, loss, backward, optimiser; the median of each."""
    state, rates = fresh_state(rows), np.zeros(rows.shape[1], np.float32)
    camera, target, times = photo_camera(photo), as_float(photo.pixels), []
    for _ in range(REPEATS):
        marks = [time.perf_counter()]
        drawn = render(rows, camera, SH_DEGREE)
        marks.append(time.perf_counter())
        image_grad = loss_and_gradient(drawn.image, target, 0.2).grad
        marks.append(time.perf_counter())
        grads = render_backward(rows, camera, SH_DEGREE, drawn, image_grad).rows
        marks.append(time.perf_counter())
        moments = (state.first, state.second, state.updates)
        adam_step(rows, grads, *moments, drawn.visible, rates, np.float32(0), np.float32(0))
        marks.append(time.perf_counter())
        times.append(np.diff(marks) * 1e3)
    return np.median(times, axis=0), len(drawn.tiles.ids) / (len(drawn.tiles.starts) - 1)


def speed(args) -> None:
    reconstruction = read_cameras(args.folder)
    points, _ = read_points(args.folder, reconstruction)
    view = reconstruction.views[len(reconstruction.views) // 2]
    print(f"{'side px':>8}{'Gaussians':>11}{'per tile':>10}{'forward':>9}{'loss':>8}{'backward':>10}"
          f"{'Adam':>7}{'all ms':>9}")  # fmt: skip
    for side in args.sides:
        photo = read_photo(args.folder, view, side)
        for count in args.gaussians:
            splat = light_splat(crowded(points, count), max_gaussians=count)
            rows = training_start(rows_from_gaussians(splat, SH_DEGREE), 0.5)
            parts, per_tile = iteration_ms(rows, photo)
            print(f"{side:8d}{count:11d}{per_tile:10.0f}{parts[0]:9.1f}{parts[1]:8.1f}{parts[2]:10.1f}"
                  f"{parts[3]:7.1f}{parts.sum():9.1f}", flush=True)  # fmt: skip


def quality(args) -> None:
    reconstruction = read_cameras(args.folder)
    points, source = read_points(args.folder, reconstruction)
    views = sorted(reconstruction.views, key=lambda view: view.image)
    photos = [read_photo(args.folder, view, args.side) for view in views]
    names = args.heldout or [photo.name for photo in photos[::8]]
    heldout = [photo for photo in photos if photo.name in names]
    training = [photo for photo in photos if photo.name not in names]
    count = args.gaussians[0]
    light = light_splat(points, max_gaussians=count)
    scores = score(rows_from_gaussians(light, 0), heldout, 0)
    print(f"{args.folder.name}: {len(training)} photos train, {len(heldout)} held out; {source} start")
    print(f"{'seconds':>9}{'iterations':>12}{'ms each':>9}{'Gaussians':>11}{'train dB':>10}"
          f"{'held dB':>9}{'SSIM':>8}")  # fmt: skip
    print(f"{'light':>9}{0:12d}{'':>9}{len(light.means):11d}{'':>10}"
          f"{scores.psnr_db:9.2f}{scores.ssim:8.3f}")  # fmt: skip
    start = training_start(rows_from_gaussians(light, SH_DEGREE), Recipe().start_opacity)
    for seconds in args.seconds:
        limits = {"max_gaussians": count, "iterations": 10**9, "max_seconds": seconds}
        options = SplatOptions(**limits, sh_degree=SH_DEGREE)
        trained = train(start, training, options)
        scores = score(trained.rows, heldout, SH_DEGREE)
        each = 1e3 * trained.seconds / trained.iterations
        cells = f"{trained.seconds:9.1f}{trained.iterations:12d}{each:9.1f}{len(trained.rows):11d}"
        scored = f"{trained.train_psnr_db:10.2f}{scores.psnr_db:9.2f}{scores.ssim:8.3f}"
        print(cells + scored, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality"])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--sides", type=int, nargs="+", default=[384, 768])
    parser.add_argument("--side", type=int, default=768)
    parser.add_argument("--gaussians", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 40.0])
    parser.add_argument("--heldout", nargs="+", metavar="IMAGE")
    args = parser.parse_args()
    args.gaussians = args.gaussians or ([15_000, 50_000] if args.what == "speed" else [30_000])
    print(f"kernels ready after {compile_kernels(lambda: None):.1f} s")
    (speed if args.what == "speed" else quality)(args)


if __name__ == "__main__":
    main()
