"""The table of all stages, in the order in which they run, and what is read from it."""

from __future__ import annotations

from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages import capture, depth_maps, keyframes, mesh, metrics, pointcloud, poses, splat
from ds3d_pipeline.stages.stage import Gate, Product, Stage, Verdict
from ds3d_pipeline.storage.bundles import StageReport

STAGE_CARDS: dict[str, Stage] = {
    module.CARD.name: module.CARD
    for module in (capture, keyframes, poses, depth_maps, pointcloud, mesh, splat, metrics)
}


def depending_on(stage: str) -> frozenset[str]:
    """The stage itself and all that depend on it, directly or not."""
    found = {stage}
    for card in STAGE_CARDS.values():
        if found & set(card.reads):
            found.add(card.name)
    return frozenset(found)


def ladders() -> dict[str, Stage]:
    """The cards of the stages with backends, for which one can be preferred."""
    return {name: card for name, card in STAGE_CARDS.items() if card.rungs}


def products() -> list[tuple[str, Product]]:
    """What the finished folder has, with its stages: what is made of most first, publishing's own last."""
    found = [(card, product) for card in reversed(STAGE_CARDS.values()) for product in card.products]
    found.sort(key=lambda item: (item[1].source is None, -len(item[0].reads)))
    return [(card.name, product) for card, product in found]


def find_rung(stage: str, name: str) -> Rung:
    """The rung of this name; raises KeyError if there is none."""
    return {rung.name: rung for rung in STAGE_CARDS[stage].rungs}[name]


def stage_label(stage: str) -> str:
    """The plain name of a stage, as a sentence begins."""
    return STAGE_CARDS[stage].label


def backend_label(stage: str, backend: str) -> str:
    """The plain name of a backend within a sentence; a stored result may name one that is gone."""
    labels = {rung.name: rung.label for rung in STAGE_CARDS[stage].rungs}
    return labels.get(backend) or backend


def judge(report: StageReport) -> list[tuple[Gate, Verdict]]:
    """Every gate of a stage with its verdict."""
    return [(gate, gate.judge(report)) for gate in STAGE_CARDS[report.stage].gates]


def missed_gates(report: StageReport) -> list[str]:
    """What the gates add to the reasons of a capture, without repetitions.

    A shortfall already describes better than any number what the artifact lacks.
    """
    if report.shortfall:
        return []
    verdicts = judge(report)
    missed = {gate.name for gate, verdict in verdicts if not verdict.passed}
    return [v.text for gate, v in verdicts if gate.name in missed and gate.covered_by not in missed]
