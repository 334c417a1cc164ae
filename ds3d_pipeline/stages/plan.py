"""The ladders: for every stage its rungs, best first, each with a probe and a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ds3d_pipeline.containers.engine import look_at_engine, why_no_container
from ds3d_pipeline.programs.rungs import Box, Probe, Program, Rung
from ds3d_pipeline.storage.bundles import Attempt


def trains(options: Any) -> str | None:
    """The probe of the splat trainers."""
    return None if options.train else "The chosen mode or options train no splat."


def trains_on_gpu(options: Any) -> str | None:
    """The probe of gsplat, which is asked only where a splat is trained at all."""
    if not options.train:
        return trains(options)
    from ds3d_pipeline.splats.gsplat_engine import why_no_gsplat

    return why_no_gsplat()


def coarse_depth(_options: Any) -> str:
    """The shortfall of depth without stereo."""
    return "Depth is interpolated between sparse points, so mesh and points show the coarse shape only."


def one_sided(_options: Any) -> str:
    """The shortfall of a single camera."""
    return "No cameras could be placed, so the result is made of one photo and shows what that one sees."


def estimates(options: Any) -> str | None:
    """The probe of the learned depth model."""
    from ds3d_pipeline.depth.learned.models import can_estimate

    return can_estimate(options)


def estimated_depth(_options: Any) -> str:
    """The shortfall of learned depth."""
    return "Depth is a learned model's estimate from single photos, not measured."


def flat_card(_options: Any) -> str:
    """The shortfall of no depth at all."""
    return "There is no depth: the geometry is a flat card with the photo on it."


def seen_from_one_side(_options: Any) -> str:
    """The shortfall of a relief."""
    return "The mesh is a relief of one view: it has no sides and no back."


def untrained(options: Any) -> str | None:
    """The shortfall of the light splat where a trained one was asked for."""
    return "The splat is untrained: one Gaussian per point." if options.train else None


def has_gpu() -> bool:
    """What moves a rung to the front that is the fastest with a GPU."""
    return look_at_engine().gpus


NO_MODEL = (
    "No good initial image pair found",
    "failed to create sparse model",
    "Failed to create any sparse model",
)
"""What COLMAP says where it can place nothing: our diagnosis knows why."""


def boxed(image: str, *, needs_gpu: bool = False) -> Probe:
    """The probe of a rung that runs in a container."""
    return lambda _options: why_no_container(image, needs_gpu=needs_gpu)


def trains_boxed(image: str, *, needs_gpu: bool = False) -> Probe:
    """The probe of a splat trainer in a container."""
    return lambda options: trains(options) or why_no_container(image, needs_gpu=needs_gpu)


LADDERS: dict[str, tuple[Rung, ...]] = {
    "capture": (Rung(name="local", module="ds3d_pipeline.capture", summary="checks and stages the upload"),),
    "keyframes": (
        Rung(name="local", module="ds3d_pipeline.keyframes", summary="sharpest frame per motion window"),
    ),
    "poses": (
        Rung(name="pycolmap", module="ds3d_pipeline.poses", summary="COLMAP's incremental mapping"),
        Rung(
            name="colmap-container",
            module="ds3d_pipeline.poses",
            probe=boxed("colmap"),
            summary="COLMAP in a container, on the GPU where there is one",
            programs=(
                Program(backend="colmap-script"),
                Program(
                    script="scratch/colmap.sh",
                    box=Box(image="colmap", gpu="if there", forgives=NO_MODEL),
                ),
                Program(backend="colmap-container"),
            ),
            leads=has_gpu,
        ),
        Rung(name="opencv", module="ds3d_pipeline.poses", summary="OpenCV's geometry, our bundle adjustment"),
        Rung(
            name="single",
            module="ds3d_pipeline.poses",
            summary="one photo, without points",
            shortfall=one_sided,
        ),
    ),
    "depth_maps": (
        Rung(
            name="colmap-container",
            module="ds3d_pipeline.depth",
            probe=boxed("colmap", needs_gpu=True),
            summary="COLMAP's multi-view stereo on an NVIDIA GPU, in a container",
            programs=(
                Program(backend="colmap-script"),
                Program(script="scratch/colmap.sh", box=Box(image="colmap", gpu="must")),
                Program(backend="colmap-container"),
            ),
        ),
        Rung(name="patchmatch", module="ds3d_pipeline.depth", summary="multi-view stereo on the CPU"),
        Rung(
            name="monocular",
            module="ds3d_pipeline.depth",
            probe=estimates,
            summary="learned depth of single photos",
            shortfall=estimated_depth,
        ),
        Rung(
            name="interpolation",
            module="ds3d_pipeline.depth",
            summary="sparse points, interpolated",
            shortfall=coarse_depth,
        ),
        Rung(
            name="card",
            module="ds3d_pipeline.depth",
            summary="no depth: a flat card",
            shortfall=flat_card,
        ),
    ),
    "pointcloud": (Rung(name="fusion", module="ds3d_pipeline.pointcloud", summary="fused depth maps"),),
    "mesh": (
        Rung(name="poisson", module="ds3d_pipeline.mesh", summary="Poisson surface"),
        Rung(
            name="relief",
            module="ds3d_pipeline.mesh",
            summary="one view's depth, triangulated",
            shortfall=seen_from_one_side,
        ),
    ),
    "splat": (
        Rung(
            name="gsplat",
            module="ds3d_pipeline.splats",
            probe=trains_on_gpu,
            summary="trained on an NVIDIA GPU",
        ),
        Rung(
            name="gsplat-container",
            module="ds3d_pipeline.splats",
            probe=trains_boxed("gpu trainer", needs_gpu=True),
            summary="the same in a container",
            programs=(Program(backend="gsplat", box=Box(image="gpu trainer", gpu="must")),),
        ),
        Rung(name="cpu", module="ds3d_pipeline.splats", probe=trains, summary="trained on the CPU"),
        Rung(
            name="cpu-container",
            module="ds3d_pipeline.splats",
            probe=trains_boxed("trainer"),
            summary="the same in a container",
            programs=(Program(backend="cpu", box=Box(image="trainer")),),
        ),
        Rung(
            name="light",
            module="ds3d_pipeline.splats",
            summary="one Gaussian per point, untrained",
            shortfall=untrained,
        ),
    ),
}


READS: dict[str, tuple[str, ...]] = {
    "capture": (),
    "keyframes": ("capture",),
    "poses": ("keyframes",),
    "depth_maps": ("poses",),
    "pointcloud": ("poses", "depth_maps"),
    "mesh": ("poses", "depth_maps", "pointcloud"),
    "splat": ("poses", "pointcloud"),
    "metrics": ("capture", "keyframes", "poses", "depth_maps", "pointcloud", "mesh", "splat"),
}
"""The stages whose bundles each stage reads."""


def depending_on(stage: str) -> frozenset[str]:
    """The stage itself and all that reads what it makes, directly or not."""
    found = {stage}
    for name, reads in READS.items():
        if found & set(reads):
            found.add(name)
    return frozenset(found)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The rungs of a ladder that can run here, in order, and those passed over with the reason."""

    rungs: tuple[str, ...]
    passed_over: tuple[Attempt, ...]


def plan_ladder(stage: str, options: Any, prefer: str | None = None) -> Plan:
    """Probes a ladder; the preferred rung comes first. Raises ValueError for a rung that is not there."""
    ladder = _in_order(stage, prefer)
    reasons = {rung.name: rung.probe(options) for rung in ladder}
    return Plan(
        rungs=tuple(rung.name for rung in ladder if reasons[rung.name] is None),
        passed_over=tuple(
            Attempt(backend=name, outcome="passed over", reason=reason)
            for name, reason in reasons.items()
            if reason
        ),
    )


def _in_order(stage: str, prefer: str | None) -> list[Rung]:
    names = [rung.name for rung in LADDERS[stage]]
    if prefer is not None and prefer not in names:
        raise ValueError(f"{stage} has no backend {prefer!r}: choose one of {', '.join(names)}.")
    return sorted(LADDERS[stage], key=lambda rung: (rung.name != prefer, not rung.leads()))


def find_rung(stage: str, name: str) -> Rung:
    """The rung of this name; raises KeyError where there is none."""
    return {rung.name: rung for rung in LADDERS[stage]}[name]
