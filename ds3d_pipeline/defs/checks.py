"""Quality gates on the poses: they warn, and never stop a run."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from ds3d_pipeline.bundles import Bundle

MIN_REGISTERED = 0.9
MAX_REPROJECTION_ERROR_PX = 1.5
MAX_GAP = 3

REGISTERED = dg.AssetCheckSpec(
    "registered_fraction",
    asset="poses",
    description=f"At least {MIN_REGISTERED:.0%} of the keyframes are placed.",
)
REPROJECTION = dg.AssetCheckSpec(
    "mean_reprojection_error",
    asset="poses",
    description=f"Points project within {MAX_REPROJECTION_ERROR_PX} px of where they were seen, on average.",
)
GAP = dg.AssetCheckSpec(
    "largest_gap",
    asset="poses",
    description=f"At most {MAX_GAP} keyframes in a row are missing between placed ones, or at an end.",
)


@dg.multi_asset_check(name="poses_quality", specs=[REGISTERED, REPROJECTION, GAP])
def poses_quality(poses: Bundle) -> Iterator[dg.AssetCheckResult]:
    """How far the poses can be trusted."""
    yield from judge_poses(poses.report.result)


def judge_poses(result: Mapping[str, Any]) -> Iterator[dg.AssetCheckResult]:
    """The checks of a poses program's result."""
    registered, total = result["registered"], result["total"]
    error_px, gap = result["mean_reprojection_error_px"], result["largest_gap"]
    text = f"{registered} of {total} keyframes are placed."
    yield _warn(REGISTERED, registered >= MIN_REGISTERED * total, text, registered=registered, total=total)
    yield _judge_error(error_px)
    text = f"{gap} keyframes in a row are missing at most. {result['unplaced_text']}".strip()
    yield _warn(GAP, gap <= MAX_GAP, text, gap=gap)


def _judge_error(error_px: float | None) -> dg.AssetCheckResult:
    if error_px is None:
        return _warn(REPROJECTION, False, "One camera alone has no points to project.")
    text = f"The mean reprojection error is {error_px:.2f} px."
    return _warn(REPROJECTION, error_px <= MAX_REPROJECTION_ERROR_PX, text, error_px=error_px)


def _warn(spec: dg.AssetCheckSpec, passed: bool, text: str, **numbers: float) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=bool(passed),
        severity=dg.AssetCheckSeverity.WARN,
        description=text,
        metadata=numbers,
    )
