"""The table of all stages, in the order in which they run, and what is read from it."""

from __future__ import annotations

from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages import capture, depth_maps, keyframes, mesh, metrics, pointcloud, poses, splat
from ds3d_pipeline.stages.stage import Gate, Stage, Verdict
from ds3d_pipeline.storage.bundles import StageReport

STAGE_CARDS: dict[str, Stage] = {
    module.CARD.name: module.CARD
    for module in (capture, keyframes, poses, depth_maps, pointcloud, mesh, splat, metrics)
}


def depending_on(stage: str) -> frozenset[str]:
    """The stage itself and all that reads what it makes, directly or not."""
    found = {stage}
    for card in STAGE_CARDS.values():
        if found & set(card.reads):
            found.add(card.name)
    return frozenset(found)


def ladders() -> dict[str, Stage]:
    """The cards of the stages that are made by programs, which a backend can be preferred for."""
    return {name: card for name, card in STAGE_CARDS.items() if card.rungs}


def find_rung(stage: str, name: str) -> Rung:
    """The rung of this name; raises KeyError where there is none."""
    return {rung.name: rung for rung in STAGE_CARDS[stage].rungs}[name]


def judge(report: StageReport) -> list[tuple[Gate, Verdict]]:
    """Every gate of a stage with its verdict."""
    return [(gate, gate.judge(report)) for gate in STAGE_CARDS[report.stage].gates]


def missed_gates(report: StageReport) -> list[str]:
    """What the gates add to the reasons of a capture: nothing twice.

    A backend with a shortfall says what its artifact lacks in better words than its numbers could.
    """
    if report.shortfall:
        return []
    verdicts = judge(report)
    missed = {gate.name for gate, verdict in verdicts if not verdict.passed}
    return [v.text for gate, v in verdicts if gate.name in missed and gate.covered_by not in missed]
