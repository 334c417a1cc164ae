"""Speed, quality, scaling, memory and soundness of the CPU splat trainer.

    python benchmarks/splats.py speed FOLDER [--sides 384 768 1080] [--gaussians 15000 30000 60000]
    python benchmarks/splats.py curve FOLDER... [--seconds 10 20 40 80 180] [--side 768] [--sparse]
                                                [--heldout 000004.jpg 000009.jpg] [--output curve]
                                                [--mode balanced] [--pictures FOLDER]
    python benchmarks/splats.py plot CSV... [--output curve]
    python benchmarks/splats.py scaling FOLDER [--gaussians 10000 30000 100000 300000]
    python benchmarks/splats.py memory
    python benchmarks/splats.py nan [--seeds 20]

FOLDER is any COLMAP folder with `images/` and `sparse/` (undistorted), such as a finished capture. `speed`
prints milliseconds by part of one iteration on its middle photo. `curve` trains once for each time limit as
the pipeline does in `--mode`, scores the photos named (by default every 8th, from the first), which training
does not see, and writes OUTPUT.csv and OUTPUT.png; `--pictures` keeps what the splat shows beside those
photos. `plot` puts what several such runs wrote into one. `--cpu-clock F` counts CPU seconds of one thread
divided by F in place of the wall clock, for a machine shared with others: set NUMBA_NUM_THREADS=1 and F to
the speed-up that all cores give on a quiet one. `memory` trains 200,000 Gaussians on 100 photos of 960 px,
`nan` 2,000 iterations on a tiny scene for every seed.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ds3d_pipeline.scene import PointCloud
from ds3d_pipeline.splats.kernels.adam import adam_step, fresh_state
from ds3d_pipeline.splats.kernels.losses import loss_and_gradient
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, SH, rows_from_gaussians
from ds3d_pipeline.splats.kernels.render import render, render_backward
from ds3d_pipeline.splats.light import light_splat
from ds3d_pipeline.splats.options import Recipe, SplatOptions
from ds3d_pipeline.splats.stage import write_comparisons
from ds3d_pipeline.splats.training.initialization import settled, starting_splat, training_start
from ds3d_pipeline.splats.training.photos import (
    Photo,
    as_float,
    read_cameras,
    read_photo,
    read_points,
    sparse_points,
)
from ds3d_pipeline.splats.training.pruning import clean
from ds3d_pipeline.splats.training.scores import photo_camera, score
from ds3d_pipeline.splats.training.trainer import compile_kernels, train
from ds3d_pipeline.stages.modes import MODES

REPEATS = 7
SH_DEGREE = 3
COLUMNS = ("capture", "start", "side", "seconds", "iterations", "gaussians", "train_db", "heldout_db", "ssim")


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


def crowd(points: PointCloud, count: int):
    splat = light_splat(crowded(points, count), max_gaussians=count)
    return training_start(rows_from_gaussians(splat, SH_DEGREE), 0.5)


def iteration_ms(rows, photo):
    """Milliseconds of one iteration's parts: draw, loss, backward, optimiser; the median of each."""
    state, rates = fresh_state(rows), np.zeros(rows.shape[1], np.float32)
    camera, times, drawn = photo_camera(photo), [], None
    for _ in range(REPEATS):
        marks = [time.perf_counter()]
        target = as_float(photo.pixels)
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


def middle(folder: Path):
    reconstruction = read_cameras(folder)
    points, _ = read_points(folder, reconstruction)
    return points, reconstruction.views[len(reconstruction.views) // 2]


def speed(args) -> None:
    points, view = middle(args.folders[0])
    print(f"{'side px':>8}{'Gaussians':>11}{'per tile':>10}{'forward':>9}{'loss':>8}{'backward':>10}"
          f"{'Adam':>7}{'all ms':>9}")  # fmt: skip
    for side in args.sides:
        photo = read_photo(args.folders[0], view, side)
        for count in args.gaussians or [15_000, 30_000, 60_000]:
            parts, per_tile = iteration_ms(crowd(points, count), photo)
            print(f"{side:8d}{count:11d}{per_tile:10.0f}{parts[0]:9.1f}{parts[1]:8.1f}{parts[2]:10.1f}"
                  f"{parts[3]:7.1f}{parts.sum():9.1f}", flush=True)  # fmt: skip


def scaling(args) -> None:
    points, view = middle(args.folders[0])
    photo = read_photo(args.folders[0], view, args.side)
    most = numba.get_num_threads()
    print(f"{'threads':>8}{'Gaussians':>11}{'all ms':>9}{'speed-up':>10}")
    for count in args.gaussians or [10_000, 30_000, 100_000, 300_000]:
        rows, alone = crowd(points, count), 0.0
        for threads in range(1, most + 1):
            numba.set_num_threads(threads)
            took = iteration_ms(rows, photo)[0].sum()
            alone = alone or took
            print(f"{threads:8d}{count:11d}{took:9.1f}{alone / took:10.2f}", flush=True)


def curve(args) -> None:
    told = []
    print("".join(f"{name:>14}" for name in COLUMNS))
    for folder in args.folders:
        for seconds in args.seconds:
            told.append(trained_for(folder, seconds, args))
            print("".join(f"{value:>14}" for value in told[-1].values()), flush=True)
    publish(told, args.output)


def merge(args) -> None:
    """What several runs of `curve` wrote, as one table and one plot."""
    told: list[dict[str, object]] = []
    for path in args.folders:
        with path.open(newline="") as file:
            told.extend(csv.DictReader(file))
    publish(told, args.output)


def publish(told: list[dict[str, object]], output: Path) -> None:
    with output.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(told)
    plot(told, output.with_suffix(".png"))


def trained_for(folder: Path, seconds: float, args) -> dict[str, object]:
    reconstruction = read_cameras(folder)
    points, source = read_points(folder, reconstruction)
    if args.sparse:
        points, source = sparse_points(reconstruction), "sparse"
    views = sorted(reconstruction.views, key=lambda view: view.image)
    photos = [read_photo(folder, view, args.side) for view in views]
    names = args.heldout or [photo.name for photo in photos[::8]]
    training = [photo for photo in photos if photo.name not in names]
    limits = {"iterations": 10**7, "max_seconds": seconds}
    options = settled(replace(MODES[args.mode].splat, **limits), len(training))
    start = starting_splat(points, options, reconstruction)
    rows = training_start(rows_from_gaussians(start, options.sh_degree), Recipe().start_opacity)
    clock = (lambda: time.thread_time() / args.cpu_clock) if args.cpu_clock else None
    trained = train(rows, training, options, now=clock)
    judged = [photo for photo in photos if photo.name in names]
    cleaned, _ = clean(trained.rows, training, start.means)
    scores = score(cleaned, judged, options.sh_degree)
    if args.pictures:
        write_comparisons(args.pictures / f"{folder.name}-{seconds:.0f}s", cleaned, judged, options.sh_degree)
    return {
        "capture": folder.name,
        "start": source,
        "side": args.side,
        "seconds": round(trained.seconds, 1),
        "iterations": trained.iterations,
        "gaussians": len(cleaned),
        "train_db": round(trained.train_psnr_db, 2),
        "heldout_db": round(scores.psnr_db, 2),
        "ssim": round(scores.ssim, 4),
    }


def plot(told: list[dict[str, object]], path: Path) -> None:
    """Held-out decibels over the logarithm of seconds, one line a capture and start."""
    width, height, edge = 900, 500, 60
    image = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in told:
        line = lines.setdefault(f"{row['capture']}, {row['side']} px, {row['start']}", [])
        line.append((float(str(row["seconds"])), float(str(row["heldout_db"]))))
    found = np.array([point for line in lines.values() for point in line])
    times, low, high = np.log(found[:, 0]), np.floor(found[:, 1].min()), np.ceil(found[:, 1].max())

    def at(seconds: float, decibels: float) -> tuple[float, float]:
        x = (np.log(seconds) - times.min()) / max(np.ptp(times), 1e-6)
        y = (high - decibels) / max(high - low, 1)
        return edge + x * (width - 2 * edge), edge + y * (height - 2 * edge)

    for decibels in np.arange(low, high + 0.1):
        left, y = at(np.exp(times.min()), decibels)
        draw.line([left, y, width - edge, y], "#dddddd")
        draw.text((8, y - 8), f"{decibels:.0f} dB", "black", font)
    for seconds in sorted({round(value) for value in found[:, 0]}):
        draw.text((at(seconds, low)[0] - 12, height - edge + 8), f"{seconds}", "black", font)
    draw.text((width - 2 * edge, height - edge / 2), "training, s", "black", font)
    colors = ("#0876c8", "#d44434", "#2a8a3e", "#8040a0", "#b06a00")
    for index, (name, line) in enumerate(lines.items()):
        points, color = [at(*point) for point in sorted(line)], colors[index % len(colors)]
        draw.line(points, color, width=3)
        for x, y in points:
            draw.ellipse([x - 4, y - 4, x + 4, y + 4], color)
        draw.text((edge + 10 + 260 * (index % 3), 8 + 20 * (index // 3)), name, color, font)
    image.save(path)


def around(count: int, size_wh: tuple[int, int]) -> list[Photo]:
    """Random pictures from places on a circle."""
    rng, photos = np.random.default_rng(0), []
    K = np.array([[1.2 * size_wh[0], 0, size_wh[0] / 2], [0, 1.2 * size_wh[0], size_wh[1] / 2], [0, 0, 1]])
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False):
        pose = np.eye(4)
        cosine, sine = np.cos(angle), np.sin(angle)
        pose[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
        pose[2, 3] = 4
        pixels = rng.integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)
        photos.append(Photo(name=f"{angle:.4f}", pixels=pixels, K=K, cam_from_world=pose))
    return photos


def scattered(count: int, seed: int, log_scale: float):
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, SH + 3 * (SH_DEGREE + 1) ** 2), np.float32)
    rows[:, :3] = rng.uniform(-1, 1, (count, 3))
    rows[:, 3:7] = rng.normal(size=(count, 4))
    rows[:, LOG_SCALE:LOGIT] = rng.normal(log_scale, 0.5, (count, 3))
    rows[:, SH:] = rng.normal(0, 0.2, rows[:, SH:].shape)
    return rows


def memory(args) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    photos = around(100, (960, 720))
    options = SplatOptions(iterations=40, max_seconds=1e6, max_gaussians=200_000)
    trained = train(scattered(200_000, 0, -4.5), photos, options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(trained.rows)} Gaussians, {len(photos)} photos of 960x720: peak {peak:.0f} MiB "
          f"({before:.0f} MiB before)")  # fmt: skip


def nan(args) -> None:
    photos = around(4, (48, 32))
    for seed in range(args.seeds):
        options = SplatOptions(iterations=2000, max_seconds=1e6, max_gaussians=300, seed=seed)
        rows = train(scattered(150, seed, -2.0), photos, options).rows
        print(f"seed {seed}: {np.count_nonzero(~np.isfinite(rows))} values not finite", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    jobs = {"speed": speed, "curve": curve, "plot": merge, "scaling": scaling, "memory": memory, "nan": nan}
    parser.add_argument("what", choices=jobs)
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help="or CSV")
    parser.add_argument("--sides", type=int, nargs="+", default=[384, 768, 1080])
    parser.add_argument("--side", type=int, default=768)
    parser.add_argument("--gaussians", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 20.0, 40.0, 80.0, 180.0])
    parser.add_argument("--heldout", nargs="+", metavar="IMAGE")
    parser.add_argument("--sparse", action="store_true", help="begin from the sparse points only")
    parser.add_argument("--cpu-clock", type=float, metavar="F")
    parser.add_argument("--mode", choices=MODES, default="balanced", help="whose options")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=Path("curve"))
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    if args.what not in ("memory", "nan") and not args.folders:
        parser.error(f"{args.what} needs a FOLDER")
    if args.what != "plot":
        print(f"kernels ready after {compile_kernels():.1f} s")
    jobs[args.what](args)


if __name__ == "__main__":
    main()
