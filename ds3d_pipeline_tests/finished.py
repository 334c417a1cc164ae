"""Bundles of a small capture, made in a moment, as its stages would leave them."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import RootModel

from ds3d_pipeline.capture.report import CaptureReport
from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.formats.gltf import write_glb
from ds3d_pipeline.formats.ply import write_pointcloud
from ds3d_pipeline.formats.splat_ply import write_splat_ply
from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.mesh.report import MeshReport
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.poses.report import PosesReport
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture
from ds3d_pipeline.scene import Capture, Gaussians, Keyframe, Keyframes, SourceFile
from ds3d_pipeline.splats.report import Scores, SplatReport
from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport, seal
from ds3d_pipeline_tests.mesh.shapes import cloud_of, grid_mesh
from ds3d_pipeline_tests.pointcloud.captures import SIZE_WH, write_capture

VIEWS = 5
IN_FRONT = ((-0.5, -0.5, 2.5), (0.5, 0.5, 3.5))


def make_bundles(
    folder: Path, *, names: tuple[str, ...] | None = None, lost: int = 0, attempts: dict | None = None
) -> dict[str, Bundle]:
    """Every stage's bundle; `names` are the user's photos, of which the last `lost` were not registered."""
    names = names or tuple(f"IMG_{number}.jpg" for number in range(VIEWS + lost))
    makers = {
        "capture": lambda path: _capture(path, names),
        "keyframes": lambda path: _keyframes(path, names),
        "poses": lambda path: _poses(path, len(names), lost),
        "depth_maps": _depth_maps,
        "pointcloud": _pointcloud,
        "mesh": _mesh,
        "splat": _splat,
    }
    return {
        stage: _bundle(folder / stage, stage, make, (attempts or {}).get(stage))
        for stage, make in makers.items()
    }


def publish_finished(folder: Path, name: str = "wall") -> Path:
    """A finished folder with every file of the contract."""
    publish_capture(Story(capture=name, mode="balanced"), make_bundles(folder / "bundles"), folder / "out")
    return folder / "out" / name


def _bundle(folder, stage, make, attempts) -> Bundle:
    folder.mkdir(parents=True)
    result = make(folder)
    attempts = attempts or (Attempt(backend="local", outcome="ok", seconds=2.0),)
    report = StageReport(
        stage=stage,
        backend=attempts[-1].backend,
        attempts=attempts,
        seconds=sum(attempt.seconds for attempt in attempts),
        peak_memory_mb=200.0,
        fingerprint=stage,
        result=RootModel[type(result)](result).model_dump(mode="json", by_alias=True),
    )
    return seal(folder, report)


def _capture(folder, names):
    sources = tuple(
        SourceFile(name=n, file=f"{i}.jpg", sha256="0" * 64, size_wh=SIZE_WH, bytes=1000)
        for i, n in enumerate(names)
    )
    write_json(folder / "capture.json", Capture(kind="photos", sources=sources, sha256="0" * 64))
    return CaptureReport(kind="photos", files=len(names), bytes=1000 * len(names), sha256="0" * 64)


def _keyframes(folder, names):
    frames = tuple(
        Keyframe(
            image=f"{i + 1:06d}.png", source=n, timestamp_s=None, sharpness=0.2, size_wh=SIZE_WH, camera=0
        )
        for i, n in enumerate(names)
    )
    write_json(folder / "keyframes.json", Keyframes(kind="photos", frames=frames, considered=len(frames)))
    noise_picture(folder / "contact_sheet.jpg", (400, 300))
    noise_picture(folder / "sharpness.png", (96, 30))
    return KeyframesReport(
        kept=len(frames),
        considered=len(frames),
        dropped={},
        median_sharpness=0.2,
        size=SIZE_WH,
        cameras=1,
    )


def _poses(folder, total, lost):
    write_capture(folder, views=total - lost, maps=False)
    return PosesReport(
        registered=total - lost,
        total=total,
        mean_reprojection_error_px=0.4,
        points=200,
        unregistered=tuple(f"{number + 1:06d}.png" for number in range(total - lost, total)),
    )


def _depth_maps(folder):
    noise_picture(folder / "preview.jpg", (400, 150))
    return DepthReport(maps=VIEWS, coverage=0.8)


def _pointcloud(folder):
    random = np.random.default_rng(0)
    points = random.uniform(IN_FRONT[0], IN_FRONT[1], (500, 3))
    write_pointcloud(
        folder / "pointcloud.ply", cloud_of(points, np.tile((0, 0, -1.0), (500, 1)), np.full((500, 3), 90))
    )
    return PointcloudReport(points=500)


def _mesh(folder):
    mesh = grid_mesh()
    write_glb(folder / "model.glb", mesh)
    noise_picture(folder / "preview.jpg", (300, 100))
    return MeshReport(
        vertices=len(mesh.vertices_in_world),
        faces=len(mesh.faces),
    )


def random_gaussians(count: int, seed: int = 0) -> Gaussians:
    """Gaussians scattered in front of the cameras."""
    random = np.random.default_rng(seed)
    quats = random.normal(size=(count, 4))
    return Gaussians(
        means=random.uniform(IN_FRONT[0], IN_FRONT[1], (count, 3)).astype(np.float32),
        quats_wxyz=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=random.normal(-4, 0.5, (count, 3)).astype(np.float32),
        opacity_logits=random.normal(0, 2, count).astype(np.float32),
        sh_coeffs=random.normal(0, 0.5, (count, 4, 3)).astype(np.float32),
    )


def _splat(folder):
    write_splat_ply(folder / "splat.ply", random_gaussians(300))
    shutil.copyfile(folder / "splat.ply", folder / "splat.ply.gz")
    (folder / "heldout").mkdir()
    noise_picture(folder / "heldout" / "0000.jpg", (320, 120))
    return SplatReport(
        gaussians=300,
        iterations=100,
        heldout=Scores(images=("000003.png",), psnr_db=24.5, ssim=0.8),
        train_psnr_db=26.0,
    )


def noise_picture(path: Path, size_wh: tuple[int, int]) -> None:
    """A picture that compresses badly."""
    pixels = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
