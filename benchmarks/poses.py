"""Speed and accuracy of the poses stage beside plain pycolmap, as one table.

    python benchmarks/poses.py CAPTURE... [--mode balanced] [--backends pycolmap] [--set max_features=2048]
                               [--known-intrinsics] [--no-yardstick] [--work FOLDER]

CAPTURE is a video, a folder of photos, or `synthetic:FRAMES[:WIDTHxHEIGHT]`, a rendered walk with truth. The
truth of photos is read from `gt_dense_cameras/*.camera` beside their folder (Strecha et al., 2008);
`--known-intrinsics` also runs each backend with the `K.txt` beside it. The yardstick is pycolmap with its
defaults on the same keyframes, all pairs, at most 1600 px of photos and 1024 px of videos; it undistorts
nothing. Seconds are wall time by step and CPU time of the whole program, which holds on a busy machine too.
Centre errors are after Sim3, in thousandths of the truth's unit (mm); rotation errors are medians over pairs.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pycolmap

from ds3d_pipeline.evaluation.accuracy import true_poses
from ds3d_pipeline.geometry.alignment import align_sim3
from ds3d_pipeline.geometry.transforms import rotation_angle_deg
from ds3d_pipeline.poses.options import PosesOptions
from ds3d_pipeline.programs.contract import program_main
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.programs.runner import ProgramFailed, run_program
from ds3d_pipeline.scene import Keyframes
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.table import find_rung
from ds3d_pipeline.storage.registrations import Request
from ds3d_pipeline.synthetic.capture import make_capture
from ds3d_pipeline.synthetic.options import CameraOptions, PathOptions, SyntheticOptions
from ds3d_pipeline.synthetic.truth import load_truth

SIDES_PX = {"photos": 1600, "video": 1024}
STEPS = ("features", "matching", "mapping", "undistortion")
DEGREES_PER_FRAME = 3.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A capture whose keyframes are chosen; `truth` by image name, empty where nothing is known."""

    name: str
    folder: Path
    keyframes: Keyframes
    truth: dict[str, np.ndarray]
    K: tuple[tuple[float, ...], ...] | None


@dataclass(frozen=True, kw_only=True)
class Timed:
    steps: dict[str, float]
    wall_s: float
    cpu_s: float
    peak_mb: float
    output: Path


def yardstick(work):
    """The body of the yardstick's program: pycolmap as it comes."""
    images, database = work.input / "images", work.output / "database.db"
    keyframes = read_json(work.input / "keyframes.json", Keyframes)
    extraction = pycolmap.FeatureExtractionOptions(max_image_size=SIDES_PX[keyframes.kind], use_gpu=False)
    matching = pycolmap.FeatureMatchingOptions(use_gpu=False)
    marks = [time.monotonic()]
    pycolmap.extract_features(database, images, extraction_options=extraction, device=pycolmap.Device.cpu)
    marks.append(time.monotonic())
    pycolmap.match_exhaustive(database, matching_options=matching, device=pycolmap.Device.cpu)
    marks.append(time.monotonic())
    models = pycolmap.incremental_mapping(database, images, clear_folder(work.output / "models"))
    marks.append(time.monotonic())
    best = max(models.values(), key=lambda model: model.num_reg_images())
    best.write(clear_folder(work.output / "sparse"))
    return {"phase_seconds": dict(zip(STEPS, np.diff(marks).tolist(), strict=False))}


def run(argv, output) -> Timed:
    """Runs a program; raises ProgramFailed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_program([str(word) for word in argv], output, log_path=output / "log.txt")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Timed(
        steps=done.result.get("phase_seconds", {}),
        wall_s=done.seconds,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_mb=done.peak_memory_mb,
        output=output,
    )


def stage(module, input_dir, output, options) -> Timed:
    clear_folder(output)
    write_json(output.with_suffix(".json"), options)
    arguments = [input_dir, output, "--options", output.with_suffix(".json")]
    return run([sys.executable, "-m", f"ds3d_pipeline.{module}", *arguments], output)


def prepare(word: str, mode: str, work: Path) -> Scene:
    """Makes a synthetic capture where the word asks for one, and chooses keyframes as the pipeline does."""
    folder, synthetic = work / word.replace(":", "-").strip("/").replace("/", "_"), None
    source = Path(word)
    if word.startswith("synthetic:"):
        source = make_synthetic(word, folder / "made")
        synthetic = load_truth(folder / "made")
    request = clear_folder(folder / "request")
    write_json(request / "request.json", Request(inputs=(str(source.resolve()),)))
    table = MODES[mode]
    stage("capture", request, folder / "capture", table.capture)
    options = table.keyframes
    if synthetic is not None:
        options = replace(options, max_frames=len(synthetic.frames), motion_fraction=0.001)
    stage("keyframes", folder / "capture", folder / "keyframes", options)
    keyframes = read_json(folder / "keyframes" / "keyframes.json", Keyframes)
    truth = true_poses(keyframes, synthetic) if synthetic else read_strecha(source.parent, keyframes)
    K_file = source.parent / "K.txt"
    K = tuple(map(tuple, np.loadtxt(K_file).tolist())) if K_file.is_file() else None
    return Scene(name=word, folder=folder, keyframes=keyframes, truth=truth, K=K)


def make_synthetic(word: str, folder: Path) -> Path:
    """A walk of as many frames as the word says, a constant angle apart; made once."""
    _, frames, *size = word.split(":")
    size_wh = tuple(int(side) for side in (size[0] if size else "320x240").split("x"))
    if not (folder / "truth.json").is_file():
        camera = CameraOptions(size_wh=size_wh, focal_px=0.875 * size_wh[0])
        path = PathOptions(arc_deg=DEGREES_PER_FRAME * int(frames))
        options = SyntheticOptions(camera=camera, path=path, frames=int(frames), format="video")
        make_capture(folder, options)
    return load_truth(folder).input


def read_strecha(folder: Path, keyframes: Keyframes) -> dict[str, np.ndarray]:
    """cam_from_world (4, 4) by image; the files hold K, distortion, world_from_cam, centre and size."""
    truth = {}
    for frame in keyframes.frames:
        file = folder / "gt_dense_cameras" / f"{frame.source}.camera"
        if file.is_file():
            rows = [np.array(line.split(), float) for line in file.read_text().splitlines() if line.strip()]
            pose = np.eye(4)
            pose[:3, :3] = np.stack(rows[4:7]).T
            pose[:3, 3] = -pose[:3, :3] @ rows[7]
            truth[frame.image] = pose
    return truth


def errors(model: pycolmap.Reconstruction, truth) -> tuple[float, float, float]:
    """Mean and largest centre error after Sim3, and the median angle between relative rotations (degrees)."""
    images = [i for i in model.images.values() if i.has_pose and i.name in truth]
    if len(images) < 3:
        return (np.nan, np.nan, np.nan)
    centres = np.array([image.projection_center() for image in images])
    poses = np.array([truth[image.name] for image in images])
    true_centres = -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])
    off = np.linalg.norm(align_sim3(centres, true_centres).apply(centres) - true_centres, axis=1)
    rotations = np.array([image.cam_from_world().matrix()[:, :3] for image in images])
    first, second = np.array(list(combinations(range(len(images)), 2))).T
    found = rotations[second] @ rotations[first].transpose(0, 2, 1)
    right = poses[second, :3, :3] @ poses[first, :3, :3].transpose(0, 2, 1)
    angles = rotation_angle_deg(found @ right.transpose(0, 2, 1))
    return float(off.mean()), float(off.max()), float(np.median(angles))


def print_row(scene: Scene, backend: str, timed: Timed, yard: Timed | None) -> None:
    model = pycolmap.Reconstruction(timed.output / "sparse")
    mean, largest, angle = errors(model, scene.truth)
    count = len(scene.keyframes.frames)
    steps = "".join(f"{timed.steps.get(step, np.nan):8.1f}" for step in STEPS)
    ratios = (timed.wall_s / yard.wall_s, timed.cpu_s / yard.cpu_s) if yard else (np.nan, np.nan)
    print(
        f"{Path(scene.name).name[:20]:21}{backend:13}{steps}{timed.wall_s:8.1f}{timed.cpu_s:8.1f}"
        f"{timed.cpu_s / count:8.2f}{ratios[0]:7.2f}{ratios[1]:7.2f}{model.num_reg_images():5d}/{count:<4d}"
        f"{1000 * mean:8.2f}{1000 * largest:8.2f}{angle:8.3f}{model.compute_mean_reprojection_error():7.3f}"
        f"{model.num_points3D():8d}{timed.peak_mb:7.0f}",
        flush=True,
    )


def measure(scene: Scene, args) -> None:
    yard, options = None, replace(MODES[args.mode].poses, **args.set)
    if not args.no_yardstick:
        output = clear_folder(scene.folder / "yardstick")
        yard = run([sys.executable, __file__, "yardstick", scene.folder / "keyframes", output], output)
        print_row(scene, "plain", yard, yard)
    tries = [(backend, options) for backend in args.backends]
    if args.known_intrinsics and scene.K:
        tries += [(f"{backend}+K", replace(options, K=scene.K)) for backend in args.backends]
    for name, chosen in tries:
        output = clear_folder(scene.folder / name)
        write_json(output.with_suffix(".json"), chosen)
        rung = find_rung("poses", name.removesuffix("+K"))
        folders = (str(scene.folder / "keyframes"), str(output), str(output.with_suffix(".json")))
        try:
            print_row(scene, name, run(rung.argv(*folders), output), yard)
        except ProgramFailed as failed:
            print(f"{Path(scene.name).name[:20]:21}{name:13}{failed.reason}")


def setting(word: str):
    key, _, value = word.partition("=")
    if key not in asdict(PosesOptions()):
        raise argparse.ArgumentTypeError(f"poses has no option {key!r}")
    return key, json.loads(value)


def main() -> int:
    if sys.argv[1:2] == ["yardstick"]:
        return program_main(PosesOptions, {"yardstick": yardstick}, sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("captures", nargs="+", metavar="CAPTURE")
    parser.add_argument("--mode", choices=list(MODES), default="balanced")
    parser.add_argument("--backends", nargs="+", default=["pycolmap"])
    parser.add_argument("--set", type=setting, nargs="+", default=[], metavar="OPTION=JSON")
    parser.add_argument("--known-intrinsics", action="store_true")
    parser.add_argument("--no-yardstick", action="store_true")
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    args.set = dict(args.set)
    heads = "".join(f"{head:>8}" for head in (*(step[:7] for step in STEPS), "wall s", "CPU s", "CPU/im"))
    print(f"{'scene':21}{'backend':13}{heads}{'wall x':>7}{'CPU x':>7}{'placed':>10}{'mean':>8}{'max':>8}"
          f"{'rot deg':>8}{'px':>7}{'points':>8}{'MB':>7}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        for word in args.captures:
            measure(prepare(word, args.mode, args.work or Path(scratch)), args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
