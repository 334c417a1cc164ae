"""Runs of a few captures at random, two at a time: each result must be the one made alone.

    python benchmarks/isolation.py [--runs 20] [--captures 3] [--seed 0] [--work FOLDER]

Every run has options drawn from a few, and goes through the command line or through a Dagster job in
processes of its own, all in one home. Its files are compared byte for byte with those of the same request in
a home of its own; only `report.html`, which tells times, is left out. Prints a row per run.

Exit code 1 where a result differs or a run fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg

from ds3d_pipeline.defs.launch import launch_of
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SceneOptions, SyntheticOptions

VARIANTS = (
    {"keyframes": {"max_side_px": 280}, "mesh": {"poisson_depth": 6}},
    {"keyframes": {"max_side_px": 240}, "mesh": {"poisson_depth": 6}},
    {"keyframes": {"max_side_px": 280}, "mesh": {"poisson_depth": 5}},
)
"""The first and the last share all stages up to the point cloud."""
PREFER = {"depth_maps": "interpolation"}
DOORS = ("command line", "dagster")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    """One run to make."""

    number: int
    capture: int
    variant: int
    door: str

    def request(self, photos: Path, output: Path) -> RunRequest:
        """What it asks for; the capture is named by its number."""
        return RunRequest(
            capture=f"scene-{self.capture}",
            inputs=(str(photos),),
            mode="fastest",
            output=output,
            tables=VARIANTS[self.variant],
            prefer=PREFER,
            source="command_line",
        )


def make_photos(folder: Path, seed: int) -> Path:
    """Six small photos of a scene of its own."""
    camera = CameraOptions(size_wh=(320, 240), focal_px=280.0, noise_sigma=1.0)
    scene, path = SceneOptions(seed=seed), PathOptions(arc_deg=30.0)
    return (
        folder / make_capture(folder, SyntheticOptions(frames=6, scene=scene, path=path, camera=camera)).input
    )


def command_of(draw: Draw, request: RunRequest, home: Path) -> list[str]:
    """The program that makes the run; for Dagster's door the capture is registered here."""
    if draw.door == "command line":
        words = [f"{stage}.{key}={value}" for stage, t in request.tables.items() for key, value in t.items()]
        chosen = [part for word in words for part in ("--set", word)]
        chosen += [part for stage, backend in PREFER.items() for part in ("--prefer", f"{stage}={backend}")]
        name = ["--name", request.capture, "--mode", request.mode, "--output", str(request.output)]
        return [sys.executable, "-m", "ds3d_pipeline", "reconstruct", *request.inputs, *name, *chosen]
    accept([Path(path) for path in request.inputs], request.options("capture"), request.capture)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [request.capture])
    launch = launch_of(dataclasses.replace(request, inputs=()), STAGES)
    config = home / f"run-{draw.number}.json"
    config.write_text(json.dumps(launch.run_config))
    tags = json.dumps(launch.tags | {"dagster/partition": request.capture})
    job = ["-m", "ds3d_pipeline.definitions", "-j", launch.job_name, "-c", str(config), "--tags", tags]
    return [sys.executable, "-m", "dagster", "job", "execute", *job]


def start(draw: Draw, request: RunRequest, home: Path) -> subprocess.Popen[bytes]:
    """Starts the run; its output goes to a file of the home."""
    os.environ["DAGSTER_HOME"] = str(home)
    prepare_home()
    with (home / f"run-{draw.number}.log").open("wb") as log:
        return subprocess.Popen(command_of(draw, request, home), stdout=log, stderr=log)


def files_of(request: RunRequest) -> dict[str, str]:
    """The published files with their hashes, as the run's own `metrics.json` tells them; empty without it."""
    path = request.output / request.capture / "metrics.json"
    if not path.exists():
        return {}
    told = json.loads(path.read_bytes())["files"]
    return {name: entry["sha256"] for name, entry in told.items() if name != "report.html"}


def draw_runs(count: int, captures: int, seed: int) -> list[Draw]:
    """At random, the same for one seed."""
    chance = random.Random(seed)
    return [
        Draw(
            number=number,
            capture=chance.randrange(captures),
            variant=chance.randrange(len(VARIANTS)),
            door=chance.choice(DOORS),
        )
        for number in range(count)
    ]


def make_alone(work: Path, photos: list[Path], draws: list[Draw]) -> dict[tuple[int, int], dict[str, str]]:
    """The files of every request among the draws, each made in a home of its own, one after the other."""
    made: dict[tuple[int, int], dict[str, str]] = {}
    for key in sorted({(draw.capture, draw.variant) for draw in draws}):
        folder = work / "alone-{}-{}".format(*key)
        draw = Draw(number=0, capture=key[0], variant=key[1], door="command line")
        request = draw.request(photos[key[0]], folder / "out")
        start(draw, request, folder / "home").wait()
        made[key] = files_of(request)
    return made


def run_pairs(work: Path, photos: list[Path], draws: list[Draw]) -> dict[int, dict[str, str]]:
    """The files of every draw, by its number; two runs at a time in one home."""
    made: dict[int, dict[str, str]] = {}
    for pair in (draws[i : i + 2] for i in range(0, len(draws), 2)):
        asked = [(draw, draw.request(photos[draw.capture], work / f"out-{draw.number}")) for draw in pair]
        for process in [start(draw, request, work / "home") for draw, request in asked]:
            process.wait()
        made |= {draw.number: files_of(request) for draw, request in asked}
    return made


def main() -> int:
    """Prints the table; 1 where a result is not the one made alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--captures", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    work, began = args.work or Path(tempfile.mkdtemp(prefix="isolation-")), time.monotonic()
    photos = [make_photos(work / f"photos-{seed}", seed) for seed in range(args.captures)]
    draws = draw_runs(args.runs, args.captures, args.seed)
    alone = make_alone(work, photos, draws)
    made = run_pairs(work, photos, draws)
    wrong = 0
    print("run  capture  variant  door          files  as alone", flush=True)
    for draw in draws:
        files, expected = made[draw.number], alone[draw.capture, draw.variant]
        is_same = bool(files) and files == expected
        wrong += not is_same
        cells = f"{draw.number:>3}  {draw.capture:>7}  {draw.variant:>7}  {draw.door:<12}  {len(files):>5}"
        print(f"{cells}  {'yes' if is_same else 'NO'}", flush=True)
    print(f"{len(draws) - wrong} of {len(draws)} as alone, {time.monotonic() - began:.0f} s, in {work}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
