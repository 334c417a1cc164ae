"""Changes of the table of stages for one test."""

import dataclasses

from ds3d_pipeline.stages.table import STAGE_CARDS


def change_card(monkeypatch, stage, **changes):
    """Puts other facts onto a stage's card until the test ends."""
    monkeypatch.setitem(STAGE_CARDS, stage, dataclasses.replace(STAGE_CARDS[stage], **changes))
