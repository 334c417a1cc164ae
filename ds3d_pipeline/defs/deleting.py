"""One capture removed whole: its files, its runs with their logs, and its partition. Also as a job."""

import shutil

import dagster as dg

from ds3d_pipeline.defs.asked import all_asked
from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.defs.jobs import captures
from ds3d_pipeline.defs.runs import DELETE_JOB, PARTITION_TAG, UNFINISHED, end_dead_runs
from ds3d_pipeline.defs.waiting import whose_turn
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.storage.delete import Holdings, find_holdings, remove_holdings
from ds3d_pipeline.storage.home import Home, prepare_home


def look_at_capture(home: Home, capture: str, *, keep_outputs: bool) -> Holdings:
    """What `delete_capture` would remove; raises InputError as that does."""
    with open_instance(home) as instance:
        return _look(instance, home, capture, keep_outputs=keep_outputs)


def delete_capture(home: Home, capture: str, *, keep_outputs: bool) -> Holdings:
    """Removes a capture and returns what was removed. Where this is cut, the next call completes it.

    The records of its runs go, too, so that the same content in the watched folder is new. Raises InputError
    for a capture that nobody knows, and while a run of it goes on.
    """
    with open_instance(home) as instance:
        holdings = _look(instance, home, capture, keep_outputs=keep_outputs)
        remove_holdings(holdings)
        for run in _runs(instance, capture):
            for folder in (home.work / run.run_id, home.logs / run.run_id):
                shutil.rmtree(folder, ignore_errors=True)
            instance.delete_run(run.run_id)
        instance.delete_dynamic_partition(captures.name or "", capture)
    return holdings


def _look(instance: dg.DagsterInstance, home: Home, capture: str, *, keep_outputs: bool) -> Holdings:
    end_dead_runs(instance, home)
    runs = _runs(instance, capture)
    is_asked_for = any(asked.capture == capture for asked in all_asked(home))
    if is_asked_for or whose_turn(home) == capture or any(run.status in UNFINISHED for run in runs):
        raise InputError(
            f"A run of {capture} is waiting or still going.",
            "Cancel it, or wait until it ends.",
        )
    holdings = find_holdings(home, capture, keep_outputs=keep_outputs)
    is_partition = instance.has_dynamic_partition(captures.name or "", capture)
    if not (holdings.places or holdings.outputs or holdings.note or runs or is_partition):
        raise InputError(f"No capture {capture!r} in {home.root}.", "See `ds3d list`.")
    return holdings


def _runs(instance: dg.DagsterInstance, capture: str) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: capture})))


class DeleteConfig(dg.Config):
    """Which capture goes."""

    capture: str
    """The name of its partition, however impossible as a name."""
    keep_outputs: bool = False
    """Whether the finished folder stays."""


@dg.op(description="Deletes everything that is kept of one capture. Files of yours in its folder stay.")
def delete_one(context: dg.OpExecutionContext, config: DeleteConfig) -> None:
    """As `ds3d delete --yes` does."""
    try:
        gone = delete_capture(prepare_home(), config.capture, keep_outputs=config.keep_outputs)
    except InputError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    kept = [f"{path} is yours and stays." for path in gone.foreign]
    context.log.info("\n".join([f"Freed {gone.bytes / 1e6:.1f} MB.", *kept]))
    context.add_output_metadata({"freed_bytes": gone.bytes, "kept_files": len(kept)})


@dg.job(name=DELETE_JOB, description="Deletes one capture: intermediate files, runs, results and partition.")
def delete() -> None:
    """One step."""
    delete_one()
