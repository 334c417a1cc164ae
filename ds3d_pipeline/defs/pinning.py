"""Which version of a stage a run reads: one, from its first look to its end, whatever else is published."""

import json

import dagster as dg
from upath import UPath

from ds3d_pipeline.defs.launch import REUSED_TAG
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.storage.bundles import current_version
from ds3d_pipeline.storage.home import Home

_VERSION_TAG = "dagster/data_version"
"""Of a materialisation event."""


def pinned_version(
    instance: dg.DagsterInstance, run: dg.DagsterRun, home: Home, stage: str, place: UPath
) -> str | None:
    """The version of a stage that the run reads; None where there is none to read.

    That is what it made itself, what it read before, what the run made that it takes up again, what it was
    planned on, and else the current one.
    """
    journal = run_journal(home, run.run_id)
    if used := journal.used(stage):
        return used
    planned = json.loads(run.tags.get(REUSED_TAG, "{}")).get(stage)
    version = _made_before(instance, run, stage) or planned or current_version(place)
    return journal.use(stage, version) if version else None


def _made_before(instance: dg.DagsterInstance, run: dg.DagsterRun, stage: str) -> str | None:
    """By the run that this one takes up again, or by one that that run took up."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    if parent is None:
        return None
    logs = instance.all_logs(parent.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [entry.asset_materialization for entry in logs if entry.asset_materialization]
    made = [event.tags for event in events if event.asset_key.path[-1] == stage and event.tags]
    return made[-1].get(_VERSION_TAG) if made else _made_before(instance, parent, stage)
