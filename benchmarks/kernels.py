"""Times every kernel on fixed synthetic inputs, and compares with another checkout in one run.

    python benchmarks/kernels.py [--times 9] [--only NAME] [--against FOLDER]

Each kernel runs alone on one thread, and its CPU time counts, not the clock's: other work on the machine
then disturbs it little. With `--against`, a second process imports the package from FOLDER; both compile
first and are then timed in turn, A B A B, so that slow minutes of the machine hit both. Printed are medians,
their ratio, and whether the results are the same to the bit.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SIDE = 320
"""Of the photos, pixels."""
GAUSSIANS = 20_000


@dataclass(frozen=True, kw_only=True)
class Timed:
    """CPU seconds of one call, and a hash of what came out."""

    seconds: float
    digest: str


def cases() -> dict[str, Callable[[], Timed]]:
    """Every kernel by name, on inputs that are the same in every process.

    A checkout that has a room's modules elsewhere has none of that room's kernels here.
    """
    found: dict[str, Callable[[], Timed]] = {}
    for room in (_stereo, _splats, _meshes, _poses, _charts, _scenes):
        with contextlib.suppress(ImportError):
            found |= dict(room())
    return found


def _timed(run: Callable[..., Any], *inputs: Any, filled: tuple[int, ...]) -> Timed:
    """One call; those of the arrays it fills are copied before."""
    arguments = [a.copy() if i in filled else a for i, a in enumerate(inputs)]
    start = time.process_time()
    run(*arguments)
    seconds = time.process_time() - start
    digest = hashlib.sha256(b"".join(arguments[i].tobytes() for i in filled)).hexdigest()
    return Timed(seconds=seconds, digest=digest[:12])


def _case(run: Callable[..., Any], *inputs: Any, filled: tuple[int, ...]) -> Callable[[], Timed]:
    return functools.partial(_timed, run, *inputs, filled=filled)


def _views() -> list[Any]:
    """Five cameras side by side in front of a plane."""
    import numpy as np

    from ds3d_pipeline.scene import View

    K = np.array([[300.0, 0, SIDE / 2], [0, 300.0, SIDE / 2], [0, 0, 1]])
    none, poses = np.zeros(0, np.int32), np.repeat(np.eye(4)[None], 5, axis=0)
    poses[:, 0, 3] = 0.08 * (np.arange(5) - 2)
    return [
        View(image=f"{index}", image_size_wh=(SIDE, SIDE), K=K, cam_from_world=pose, point_ids=none)
        for index, pose in enumerate(poses)
    ]


def _photo(shift_px: float) -> Any:
    """(SIDE, SIDE) in [0, 1]: smooth noise, moved sideways."""
    import cv2
    import numpy as np

    noise = np.random.default_rng(0).random((SIDE, 2 * SIDE)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.5)
    moved = cv2.warpAffine(noise, np.array([[1, 0, shift_px - SIDE / 2], [0, 1, 0]]), (SIDE, SIDE))
    return np.clip((moved - moved.mean()) / (4 * moved.std()) + 0.5, 0, 1).astype(np.float32)


def _stereo() -> Iterator[tuple[str, Callable[[], Timed]]]:
    import numpy as np

    from ds3d_pipeline.depth.stereo import consistency, matching_cost, patchmatch
    from ds3d_pipeline.depth.stereo import propagation as kernels
    from ds3d_pipeline.depth.stereo.levels import make_level
    from ds3d_pipeline.depth.stereo.pyramid import GreyLevel

    views, random = _views(), np.random.default_rng(1)
    photos = [_photo(0.08 * (index - 2) * 300 / 3) for index in range(5)]
    greys = [GreyLevel(pixels=photo, K=views[0].K) for photo in photos]
    planes = np.zeros((SIDE, SIDE, 3), np.float32)
    planes[..., 0] = random.uniform(0.25, 0.42, (SIDE, SIDE))
    level = make_level(views, greys, (0.2, 0.5))
    agreed = make_level(views, greys, (0.2, 0.5), [planes] * 4)
    cost, chosen = np.full((SIDE, SIDE), 0.9, np.float32), np.full((SIDE, SIDE, 4), -1, np.int8)
    kernels.choose_views(planes, cost, chosen, level.images, 0.1)
    wide, narrow = (replace(turn, times=1) for turn in patchmatch.SCHEDULE[::-1])
    patches = [np.empty((SIDE, SIDE, 25), np.float32)] * 2 + [np.empty((SIDE, SIDE), np.float32)] * 2
    yield "stereo patch weights", _case(matching_cost.patch_weights, photos[0], *patches, filled=(1, 2, 3, 4))
    yield "stereo rate", _case(kernels.rate, planes, cost, level.images, filled=(1,))
    yield (
        "stereo choose views",
        _case(kernels.choose_views, planes, cost, chosen, level.images, 0.1, filled=(1, 2)),
    )
    for name, one, turn in (
        ("stereo sweep everywhere", level, wide),
        ("stereo sweep chosen", level, narrow),
        ("stereo sweep agreement", agreed, narrow),
    ):
        search = patchmatch._search(one, turn, 1.0)
        yield name, _case(kernels.sweep, planes, cost, chosen, one.images, search, 0, 7, filled=(0, 1))
    steps = np.array([0.002, 0.001], np.float32)
    yield "stereo polish", _case(kernels.polish, planes, cost, chosen, level.images, steps, filled=(0, 1))
    fine = np.empty((2 * SIDE, 2 * SIDE, 3), np.float32)
    yield "stereo enlarge", _case(kernels.enlarge, planes, fine, filled=(1,))
    counts = np.zeros((SIDE, SIDE), np.uint8)
    sizes_wh, warps, back_warps, _, source_planes = agreed.images[5:]
    yield "stereo agreeing views", _case(
        consistency._count_agreeing, planes, source_planes, sizes_wh, warps, back_warps, 1.0, 0.02, counts,
        filled=(7,),
    )  # fmt: skip


def _splats() -> Iterator[tuple[str, Callable[[], Timed]]]:
    import numpy as np

    from ds3d_pipeline.splats.kernels import losses, mip_filter, projection, rasterize
    from ds3d_pipeline.splats.kernels.adam import adam_step, fresh_state
    from ds3d_pipeline.splats.kernels.render import render
    from ds3d_pipeline.splats.kernels.tiles import bin_gaussians

    random = np.random.default_rng(2)
    rows = np.zeros((GAUSSIANS, 59), np.float32)
    rows[:, :3] = random.uniform((-1.6, -1.6, 2), (1.6, 1.6, 4), (GAUSSIANS, 3))
    rows[:, 3:7] = random.normal(size=(GAUSSIANS, 4))
    rows[:, 7:10] = random.uniform(-5, -3, (GAUSSIANS, 3))
    rows[:, 10:] = random.normal(size=(GAUSSIANS, 49)) / 2
    view, black = _views()[2], np.zeros(3, np.float32)
    camera = projection.camera_row(view.K, view.cam_from_world, (SIDE, SIDE))
    drawn = render(rows, camera, 3, black)
    tiles = drawn.tiles
    projected = next(getattr(drawn, name) for name in ("flat", "projected") if hasattr(drawn, name))
    transmittance = next(getattr(drawn, n) for n in ("through", "transmittance") if hasattr(drawn, n))
    grad = random.normal(size=(3, SIDE, SIDE)).astype(np.float32)
    light = np.zeros((SIDE, SIDE), np.float32)
    yield "splat project", _case(projection.project, rows, camera, 3, np.zeros_like(projected), filled=(3,))
    yield "splat tiles", _case(lambda f, out: np.copyto(out, bin_gaussians(f, (SIDE, SIDE)).ids),
                               projected, np.empty_like(tiles.ids), filled=(1,))  # fmt: skip
    yield "splat rasterize", _case(
        rasterize.rasterize, projected, tiles.ids, tiles.starts, tiles.tiles_wh[0], black,
        np.empty_like(drawn.image), np.empty_like(transmittance), np.empty_like(drawn.ends), filled=(5, 6, 7),
    )  # fmt: skip
    pairs = np.zeros((len(tiles.ids), 9), np.float32)
    inputs = (
        projected,
        tiles.ids,
        tiles.starts,
        tiles.tiles_wh[0],
        transmittance,
        drawn.ends,
        grad,
        light,
        pairs,
    )
    yield "splat rasterize backward", _case(rasterize.rasterize_backward, *inputs, filled=(8,))
    rasterize.rasterize_backward(*inputs)
    sums, absgrad = np.zeros((GAUSSIANS, 9), np.float32), np.zeros(GAUSSIANS, np.float32)
    inputs = (pairs, tiles.pair_starts, tiles.pair_places, sums, absgrad)
    yield "splat sum of pairs", _case(rasterize.sum_pairs, *inputs, filled=(3, 4))
    rasterize.sum_pairs(*inputs)
    row_grads = np.zeros_like(rows)
    inputs = (rows, camera, 3, projected, sums, row_grads)
    yield "splat project backward", _case(projection.project_backward, *inputs, filled=(5,))
    projection.project_backward(*inputs)
    target = random.random((3, SIDE, SIDE)).astype(np.float32)
    yield "splat loss", _case(
        lambda out: np.copyto(out, losses.loss_and_gradient(drawn.image, target, 0.2).grad),
        np.empty_like(target), filled=(0,),
    )  # fmt: skip
    state, visible = fresh_state(rows), np.ones(GAUSSIANS, bool)
    rates, none = np.full(59, 1e-3, np.float32), np.float32(0.01)
    yield "splat adam", _case(
        adam_step, rows, row_grads, state.first, state.second, state.updates, visible, rates, none, none,
        filled=(0, 1, 2, 3, 4),
    )  # fmt: skip
    variance = np.full(GAUSSIANS, 1e-4, np.float32)
    yield (
        "splat mip filter backward",
        _case(mip_filter.filtered_backward, rows, variance, rows.copy(), row_grads, filled=(3,)),
    )


def _visibility(view: type) -> dict[str, Any]:
    """What a photo sees in the bake; a checkout to compare with may use the earlier names."""
    import numpy as np

    from ds3d_pipeline.mesh.texture import view_quality

    is_new = "visibility" in view.__dataclass_fields__
    record = vars(view_quality)["VisibilityMap" if is_new else "Sight"]
    seen = record(
        scale=1.0, depth=np.full((SIDE, SIDE), 9, np.float32), trust=np.ones((SIDE, SIDE), np.float32)
    )
    prefix = "visibility" if is_new else "sight"
    return {prefix: seen, f"{prefix}_scale": 1.0}


def _meshes() -> Iterator[tuple[str, Callable[[], Timed]]]:
    import numpy as np

    from ds3d_pipeline.mesh import render
    from ds3d_pipeline.mesh.texture import bake
    from ds3d_pipeline.mesh.texture.atlas import Atlas
    from ds3d_pipeline.pointcloud import fusion
    from ds3d_pipeline.scene import DepthMap

    view, random, side, cells = _views()[2], np.random.default_rng(3), 512, 64
    grid = np.linspace(-1, 1, cells + 1)
    x, y = (a.ravel() for a in np.meshgrid(grid, grid))
    vertices = np.stack([x, y, 3 + 0.2 * np.sin(5 * x)], axis=1)
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    squares = np.concatenate(
        [np.stack([corner, corner + 1, corner + cells + 1], 1),
         np.stack([corner + 1, corner + cells + 2, corner + cells + 1], 1)]
    )  # fmt: skip
    faces = squares.astype(np.int32)
    depth = np.full((SIDE, SIDE), np.inf, np.float32)
    ids, weights = np.full((SIDE, SIDE), -1, np.int32), np.zeros((SIDE, SIDE, 3), np.float32)
    inputs = (vertices, faces, view.K, depth, ids, weights)
    yield "z-buffer", _case(render._rasterise, *inputs, filled=(3, 4, 5))
    raster = render.rasterise(vertices, faces, view.K, view.cam_from_world, (SIDE, SIDE))
    normals = np.zeros((SIDE, SIDE, 3), np.float32)
    normals[..., 2] = -1
    depth_map = DepthMap(image="", depth=raster.depth, normals=normals, confidence=raster.depth, K=view.K)
    colors = random.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    loaded = [fusion.fusion_view(one, depth_map, colors) for one in _views()[2:4]]
    yield "fusion", _case(lambda out: np.copyto(out, _fused(fusion, loaded)), np.zeros(3), filled=(0,))
    side_xy = ((vertices[:, :2] + 1) / 2 * side).astype(np.float32)
    rows, columns = np.divmod(np.arange(side * side), side)
    cell = (rows * cells // side) * cells + columns * cells // side
    upper = (columns * cells % side + rows * cells % side) >= side
    atlas = Atlas(
        side=side, scale=1.0, charts=np.zeros(len(faces), np.int32), corners_xy=side_xy[faces],
        face_of_texel=(cell + np.where(upper, cells * cells, 0)).astype(np.int32).reshape(side, side),
    )  # fmt: skip
    photo = random.random((SIDE, SIDE, 3)).astype(np.float32) * 255
    ready = bake.BakeView(
        corners_in_cam=vertices.astype(np.float32), weights=np.ones(len(vertices), np.float32), K=view.K,
        photo=photo, coarse=photo,
        **_visibility(bake.BakeView),
    )  # fmt: skip
    texels, owners = np.arange(side * side, dtype=np.int32), atlas.face_of_texel.ravel()
    sums = np.zeros((side * side, 8), np.float32)
    useful = np.ones(len(faces), bool)
    inputs = (ready, faces, atlas, texels, owners, useful, sums, bake.BakeOptions())
    yield "bake accumulate", _case(bake._gather, *inputs, filled=(6,))
    bake._gather(*inputs)
    texture = np.zeros((side * side, 3), np.uint8)
    vertex_colors = np.full((len(vertices), 3), 90, np.float32)
    inputs = (sums, texels, owners, faces, atlas.corners_xy, vertex_colors, texture, side)
    yield "bake finish", _case(bake._finish, *inputs, filled=(6,))


def _fused(fusion: Any, loaded: list[Any]) -> Any:
    """Sums over the fused points of two views."""
    options = fusion.FusionOptions(min_views=2)
    return fusion.fuse_views(lambda index: loaded[index], [[1], [0]], options).points_in_world.sum(axis=0)


def _poses() -> Iterator[tuple[str, Callable[[], Timed]]]:
    import numpy as np

    from ds3d_pipeline.poses.opencv import matching, schur, tracks, triangulation

    random, points, views, cameras = np.random.default_rng(4), 20_000, 6, 40
    rows = points * views
    starts = np.arange(0, rows + 1, views)
    columns = np.stack([random.permutation(cameras)[:views] for _ in range(points)]).ravel()
    by_camera, by_point = random.standard_normal((rows, 2, 8)), random.standard_normal((rows, 2, 3))
    residuals, unknowns = random.standard_normal((rows, 2)), 6 * cameras + 2
    shared = np.broadcast_to([unknowns - 2, unknowns - 1], (rows, 2))
    blocks = np.concatenate([columns[:, None] * 6 + np.arange(6), shared], axis=1).astype(np.int32)
    system, right, diagonal = np.zeros((unknowns, unknowns)), np.zeros(unknowns), np.zeros(unknowns)
    inputs = (starts.astype(np.int32), blocks, by_camera, by_point, residuals, 1e-3, system, right, diagonal)
    yield "bundle reduce points", _case(schur.reduce_points, *inputs, filled=(6, 7, 8))
    image_of = np.repeat(np.arange(cameras, dtype=np.int32), points // cameras)
    edges = random.integers(0, points, (60_000, 2)).astype(np.int32)
    yield "tracks join", _result(tracks.join, edges, image_of)
    centres = random.standard_normal((rows, 3))
    where = np.repeat(random.standard_normal((points, 3)) + np.array([0, 0, 9]), views, axis=0)
    rays = where - centres + 0.01 * random.standard_normal((rows, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    usable, wanted = np.ones(rows, bool), np.ones(points, bool)
    tolerances, found = np.full(rows, 0.01), np.zeros((points, 3))
    inputs = (starts.astype(np.int32), centres, rays, usable, tolerances, wanted, found, 0.9998)
    yield "triangulate", _case(triangulation.best_points, *inputs, filled=(6,))
    lines = random.standard_normal((1500, 3)).astype(np.float32)
    lines[:, 2] *= 300
    lines /= np.linalg.norm(lines[:, :2], axis=1, keepdims=True)
    x, y = random.uniform(-400, 400, (2, 1500)).astype(np.float32)
    first, second = random.integers(0, 255, (2, 1500, 128)).astype(np.uint8)
    inputs = (lines, x, y, first, second, np.float32(20))
    yield "match along lines", _result(matching.best_along_lines, *inputs)


def _moved(*names: str) -> Any:
    """The first of these modules that the checkout has."""
    for name in names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(f"ds3d_pipeline.{name}")
    raise ImportError(names[0])


def _result(run: Callable[..., Any], *inputs: Any) -> Callable[[], Timed]:
    """Of a kernel that returns an array, or some, instead of filling one that it is given."""

    def timed() -> Timed:
        start = time.process_time()
        found = run(*inputs)
        seconds = time.process_time() - start
        arrays = found if isinstance(found, tuple) else (found,)
        digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
        return Timed(seconds=seconds, digest=digest[:12])

    return timed


def _charts() -> Iterator[tuple[str, Callable[[], Timed]]]:
    import numpy as np

    atlas = _moved("mesh.texture.atlas", "mesh.atlas")
    charts = _moved("mesh.texture.charts", "mesh.charts")
    packing = _moved("mesh.texture.packing", "mesh.packing")
    random, faces, side = np.random.default_rng(5), 40_000, 1024
    middles = random.uniform(0, side, (faces, 1, 2))
    corners = np.clip(middles + random.uniform(-6, 6, (faces, 3, 2)), 0, side - 1).astype(np.float32)
    ranks = random.random(faces).astype(np.float32)
    texels, counts = np.full((side, side), -1, np.int32), np.zeros((2, faces), np.int32)
    yield "atlas claim", _case(atlas._claim, corners, ranks, texels, *counts, filled=(2, 3, 4))
    yield "atlas claim small", _case(atlas._claim_small, corners, texels, filled=(1,))
    atlas._claim(corners, ranks, texels, *counts)
    yield "atlas grow", _result(atlas._grown, texels)
    candidates = random.integers(0, 30, (faces, 4)).astype(np.int32)
    scores = np.sort(random.random((faces, 4)).astype(np.float32))[:, ::-1].copy()
    starts = np.arange(0, 3 * faces + 1, 3, dtype=np.int32)
    members = random.integers(0, faces, 3 * faces).astype(np.int32)
    inputs = (candidates, scores, starts, members, np.zeros(faces, np.int32), 0.1, 8)
    yield "chart labels", _case(charts._smooth, *inputs, filled=(4,))
    sizes_wh = random.integers(3, 60, (1500, 2)).astype(np.int32)
    yield "pack charts", _result(packing.pack, sizes_wh, 2048)


def _scenes() -> Iterator[tuple[str, Callable[[], Timed]]]:
    import numpy as np

    from ds3d_pipeline.synthetic.options import SceneOptions
    from ds3d_pipeline.synthetic.render import render_view
    from ds3d_pipeline.synthetic.scene import make_scene

    scene, K = make_scene(SceneOptions()), np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
    pose = np.eye(4)
    pose[2, 3] = 3.0
    yield "render a scene", _result(lambda: np.asarray(render_view(scene, K, pose, (320, 240))[0]))


def serve() -> None:
    """Compiles, then times the kernel that each line of standard input names, once a line."""
    found = cases()
    _answer({"names": list(found)})
    for line in sys.stdin:
        timed = found[line.strip()]()
        _answer({"seconds": timed.seconds, "digest": timed.digest})


def _answer(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class Server:
    """A process with the package of one checkout."""

    def __init__(self, checkout: Path) -> None:
        env = {**os.environ, "PYTHONPATH": str(checkout), "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        argv = [sys.executable, str(HERE), "--serve"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, env=env, cwd=checkout)
        self.names: list[str] = []

    def wait(self) -> None:
        """Until its kernels are compiled."""
        self.names = self._read()["names"]

    def time(self, name: str) -> Timed:
        """One call of a kernel."""
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return Timed(**self._read())

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a checkout's process ended: see its error above")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compare(servers: list[Server], times: int, only: str) -> None:
    """Prints one line for each kernel: medians in milliseconds, and with two checkouts how they compare."""
    header = f"{'kernel':26}{'here ms':>11}" + f"{'other ms':>11}{'ratio':>9}   same bits" * (
        len(servers) - 1
    )
    sys.stdout.write(header + "\n")
    common = [name for name in servers[0].names if all(name in server.names for server in servers)]
    for name in common:
        if only in name:
            found = [[server.time(name) for server in servers] for _ in range(times + 1)][1:]
            columns = [[one.seconds for one in column] for column in zip(*found, strict=True)]
            medians = [1000 * statistics.median(column) for column in columns]
            line = f"{name:26}" + "".join(f"{median:11.2f}" for median in medians)
            if len(servers) > 1:
                same = len({one.digest for pair in found for one in pair}) == 1
                line += f"{medians[0] / medians[1]:9.3f}   {'yes' if same else 'NO'}"
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--only", default="", help="part of a kernel's name")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of the package")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    servers = [Server(folder) for folder in (HERE.parent.parent, args.against) if folder]
    for server in servers:
        server.wait()
    compare(servers, args.times, args.only)
    for server in servers:
        server.close()


if __name__ == "__main__":
    main()
