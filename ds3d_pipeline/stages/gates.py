"""Quality gates: what a stage's numbers must keep. One that is missed makes the capture `degraded`.

The bounds are data here; the asset checks in `defs` and the reasons in `metrics.json` both read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ds3d_pipeline.storage.bundles import StageReport

MIN_REGISTERED = 0.8
MAX_REPROJECTION_ERROR_PX = 1.5
MAX_GAP = 3
MIN_COVERAGE = 0.35
MIN_FACES = 100
MIN_LARGEST_PIECE = 0.5
MIN_SHOWN = 0.5
MIN_GAIN_DB = 0.5


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a gate says, in one sentence with its numbers."""

    passed: bool
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One question asked of a stage's report. One that is `blocking` stops what would be worthless."""

    name: str
    about: str
    judge: Callable[[StageReport], Verdict]
    blocking: bool = False
    told_by: str = ""
    """The gate whose miss already says this one's."""


def _registered(report: StageReport) -> Verdict:
    placed, total = report.result["registered"], report.result["total"]
    passed = placed >= MIN_REGISTERED * total
    text = f"{placed} of {total} frames are placed."
    if not passed:
        text = f"Only {placed} of {total} frames could be placed. {report.result.get('unplaced_text', '')}"
    return Verdict(passed=passed, text=text.strip(), numbers={"registered": placed, "total": total})


def _reprojection(report: StageReport) -> Verdict:
    error_px = report.result["mean_reprojection_error_px"]
    if error_px is None:
        return Verdict(passed=False, text="One camera alone has no points to project.")
    text = f"Points miss the photos by {error_px:.2f} px on average"
    passed = error_px <= MAX_REPROJECTION_ERROR_PX
    rest = "." if passed else f", more than {MAX_REPROJECTION_ERROR_PX} px."
    return Verdict(passed=passed, text=text + rest, numbers={"error_px": error_px})


def _gap(report: StageReport) -> Verdict:
    gap = report.result.get("largest_gap", 0)
    text = "No frame is missing." if not gap else f"Frames missing in a row: {gap}."
    text = f"{text} {report.result.get('unplaced_text', '')}".strip()
    return Verdict(passed=gap <= MAX_GAP, text=text, numbers={"gap": gap})


def _coverage(report: StageReport) -> Verdict:
    coverage = report.result["coverage"]
    text = f"Distance is known for {coverage:.0%} of all pixels"
    passed = coverage >= MIN_COVERAGE
    rest = "." if passed else f", less than {MIN_COVERAGE:.0%}."
    return Verdict(passed=passed, text=text + rest, numbers={"coverage": coverage})


def _surface(report: StageReport) -> Verdict:
    """A surface of enough triangles, mostly in one piece and seen by photos."""
    result = report.result
    faces, piece = result["faces"], result.get("largest_piece", 1.0)
    shown = (result.get("texture") or {}).get("shown", 1.0)
    wrong = [
        text
        for text, is_wrong in (
            (f"the mesh has only {faces} triangles", faces < MIN_FACES),
            (f"its largest piece is only {piece:.0%} of the surface", piece < MIN_LARGEST_PIECE),
            (f"photos show only {shown:.0%} of its surface", shown < MIN_SHOWN),
        )
        if is_wrong
    ]
    text = f"{faces} triangles, the largest piece {piece:.0%} of the surface, {shown:.0%} seen by photos."
    if wrong:
        text = f"The mesh is poor: {', '.join(wrong)}."
    return Verdict(
        passed=not wrong, text=text, numbers={"faces": faces, "largest_piece": piece, "shown": shown}
    )


def _heldout(report: StageReport) -> Verdict:
    held, light = report.result.get("heldout"), report.result.get("initial_heldout")
    if not held or not light:
        return Verdict(passed=True, text="Nothing to compare: no photo was held out of a training.")
    gain = held["psnr_db"] - light["psnr_db"]
    text = f"{held['psnr_db']:.1f} dB on photos it never saw, {light['psnr_db']:.1f} dB untrained."
    passed = gain >= MIN_GAIN_DB
    return Verdict(
        passed=passed,
        text=text if passed else f"Training brought the splat hardly anything: {text}",
        numbers={"psnr_db": held["psnr_db"], "untrained_psnr_db": light["psnr_db"], "gain_db": gain},
    )


def _valid(report: StageReport) -> Verdict:
    text = " ".join(report.faults) or "Every file was read back and is sound."
    return Verdict(passed=not report.faults, text=text, numbers={"faults": len(report.faults)})


VALID_FILES = Gate(
    name="valid_files",
    about="The files can be read back and hold finite numbers; others would be made of nothing.",
    judge=_valid,
    blocking=True,
)
GATES: dict[str, tuple[Gate, ...]] = {
    "poses": (
        Gate(
            name="registered_fraction",
            about=f"At least {MIN_REGISTERED:.0%} of the keyframes are placed.",
            judge=_registered,
        ),
        Gate(
            name="mean_reprojection_error",
            about=f"Points miss the photos by at most {MAX_REPROJECTION_ERROR_PX} px on average.",
            judge=_reprojection,
        ),
        Gate(
            name="largest_gap",
            about=f"At most {MAX_GAP} keyframes in a row are missing between placed ones, or at an end.",
            judge=_gap,
            told_by="registered_fraction",
        ),
        VALID_FILES,
    ),
    "depth_maps": (
        Gate(
            name="depth_coverage",
            about=f"Distance is known for at least {MIN_COVERAGE:.0%} of all pixels.",
            judge=_coverage,
        ),
        VALID_FILES,
    ),
    "pointcloud": (VALID_FILES,),
    "mesh": (
        Gate(
            name="mesh_sanity",
            about=f"At least {MIN_FACES} triangles, {MIN_LARGEST_PIECE:.0%} of the surface in one piece and "
            f"{MIN_SHOWN:.0%} of it seen by photos.",
            judge=_surface,
        ),
        VALID_FILES,
    ),
    "splat": (
        Gate(
            name="heldout_psnr",
            about=f"On photos it never saw, training gains {MIN_GAIN_DB} dB over the untrained splat.",
            judge=_heldout,
        ),
        VALID_FILES,
    ),
}


def judge(report: StageReport) -> list[tuple[Gate, Verdict]]:
    """Every gate of a stage with its verdict."""
    return [(gate, gate.judge(report)) for gate in GATES.get(report.stage, ())]


def missed_gates(report: StageReport) -> list[str]:
    """What the gates add to the reasons of a capture: nothing twice.

    A backend with a shortfall says what its artifact lacks in better words than its numbers could.
    """
    if report.shortfall:
        return []
    verdicts = judge(report)
    missed = {gate.name for gate, verdict in verdicts if not verdict.passed}
    return [v.text for gate, v in verdicts if gate.name in missed and gate.told_by not in missed]
