"""The plan of a stage on this machine: which rungs of its ladder can run, and why the others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import Attempt


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The rungs of a ladder that can run here, in order, and those that cannot, with the reason."""

    rungs: tuple[str, ...]
    skipped: tuple[Attempt, ...]


def plan_ladder(stage: str, options: Any, prefer: str | None = None) -> Plan:
    """Probes a ladder; the preferred rung comes first. Raises ValueError for a rung that is not there."""
    ladder = _in_order(stage, prefer)
    reasons = {rung.name: rung.probe(options) for rung in ladder}
    return Plan(
        rungs=tuple(rung.name for rung in ladder if reasons[rung.name] is None),
        skipped=tuple(
            Attempt(backend=name, outcome=Outcome.SKIPPED, reason=reason)
            for name, reason in reasons.items()
            if reason
        ),
    )


def _in_order(stage: str, prefer: str | None) -> list[Rung]:
    card = STAGE_CARDS[stage]
    if prefer is not None and prefer not in card.backends:
        raise ValueError(f"{stage} has no backend {prefer!r}: choose one of {', '.join(card.backends)}.")
    return sorted(card.rungs, key=lambda rung: (rung.name != prefer, not rung.leads()))
