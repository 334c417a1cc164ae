"""The quality gates as asset checks: each stage judges what it made in its own step."""

import warnings

import dagster as dg

from ds3d_pipeline.defs.jobs import captures
from ds3d_pipeline.stages.stage import Gate, Verdict
from ds3d_pipeline.stages.table import STAGE_CARDS, judge
from ds3d_pipeline.storage.bundles import StageReport


def check_specs(stage: str) -> list[dg.AssetCheckSpec]:
    """The checks of a stage's asset, one of each capture; a blocking one stops what would read the asset."""
    with warnings.catch_warnings():
        # Dagster calls checks of partitions a preview.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [_spec(stage, gate) for gate in STAGE_CARDS[stage].gates]


def _spec(stage: str, gate: Gate) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        gate.name, asset=stage, description=gate.about, blocking=gate.blocking, partitions_def=captures
    )


def check_results(report: StageReport) -> list[dg.AssetCheckResult]:
    """What the gates say of a stage."""
    return [_result(report.stage, gate, verdict) for gate, verdict in judge(report)]


def _result(stage: str, gate: Gate, verdict: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=stage,
        check_name=gate.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR if gate.blocking else dg.AssetCheckSeverity.WARN,
        description=verdict.text,
        metadata=dict(verdict.numbers),
    )
