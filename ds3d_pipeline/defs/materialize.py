"""From a Dagster step to an attempt of the ladder and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from ds3d_pipeline.defs.checks import check_results, check_specs
from ds3d_pipeline.defs.config import StageConfig, checked_options
from ds3d_pipeline.defs.docker import container_runner
from ds3d_pipeline.defs.jobs import captures
from ds3d_pipeline.defs.metadata import attempts_table, describe
from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.defs.runs import has_ended
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.execution.ladder import Inputs, make_bundle
from ds3d_pipeline.execution.rung import Runners
from ds3d_pipeline.execution.sharing import stored_since
from ds3d_pipeline.execution.state import Cancelled, LadderExhausted, LadderState
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.bundles import Bundle
from ds3d_pipeline.storage.home import prepare_home

_BUNDLE = dg.PythonObjectDagsterType(Bundle, name="StageBundle")


def ladder_policy(stage: str) -> dg.RetryPolicy | None:
    """One retry for every rung below the first."""
    rungs = len(STAGE_CARDS[stage].rungs)
    return dg.RetryPolicy(max_retries=rungs - 1, delay=0) if rungs > 1 else None


def stage_asset(stage: str) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The decorator of every stage: a capture a partition, one heavy step at a time, retries by ladder."""
    card = STAGE_CARDS[stage]
    return dg.asset(
        partitions_def=captures,
        group_name="reconstruction",
        code_version=card.code_version,
        retry_policy=ladder_policy(stage),
        pool=card.pool(),
        description=card.about,
        kinds=set(card.kinds),
        check_specs=check_specs(stage),
        # Without it Dagster takes an asset with checks for one without a value.
        dagster_type=_BUNDLE,
    )


def materialize(
    context: dg.AssetExecutionContext,
    stage: str,
    config: StageConfig,
    mode: ModeResource,
    inputs: dict[str, Bundle],
    files: dict[str, Path] | None = None,
    file_versions: dict[str, str] | None = None,
) -> dg.MaterializeResult:
    """Runs the rung for this attempt and returns its bundle with metadata.

    The program's input folder holds the files of all `inputs`, and `files` under the given names, for whose
    content `file_versions` is used where it is given. Raises
    RungFailed, which Dagster retries with the next rung, and dg.Failure where no retry can help.
    """
    options = checked_options(context, stage, config, mode)
    state = _state(context, stage, options, config.prefer)
    try:
        read = Inputs(bundles=inputs, files=files or {}, file_versions=file_versions)
        bundle = _shared(context, state, read) or make_bundle(state, read, _runners(context))
        return result_of(bundle, describe(bundle))
    except LadderExhausted as error:
        raise _failure(error) from error
    except (Cancelled, KeyboardInterrupt, DagsterExecutionInterruptedError) as error:
        # A retry policy would take an interrupt for a failure and run the next rung.
        state.journal.cancel()
        raise dg.Failure("cancelled", allow_retries=False) from error


def _state(context: dg.AssetExecutionContext, stage: str, options: Any, prefer: str | None) -> LadderState:
    home, run_id = prepare_home(), context.run.run_id
    return LadderState(
        home=home,
        journal=run_journal(home, run_id),
        run_id=run_id,
        stage=stage,
        attempt=context.retry_number,
        options=options,
        prefer=prefer,
        log=context.log,
    )


def _shared(context: dg.AssetExecutionContext, state: LadderState, read: Inputs) -> Bundle | None:
    """What an equal run stored since this one was asked for; only at the first attempt."""
    record = context.instance.get_run_record_by_id(context.run.run_id) if state.attempt == 0 else None
    if record is None or not context.has_partition_key:
        return None
    bundle = stored_since(state, context.partition_key, read, record.create_timestamp.timestamp())
    if bundle:
        context.log.info(f"{state.stage}: another run has just made the same, which is used")
    return bundle


def _runners(context: dg.AssetExecutionContext) -> Runners:
    return Runners(container=container_runner(context), has_ended=has_ended(context.instance))


def result_of(bundle: Bundle, metadata: dict[str, Any]) -> dg.MaterializeResult:
    """The bundle as Dagster stores it, with the verdicts of its stage's gates."""
    return dg.MaterializeResult(
        value=bundle,
        data_version=dg.DataVersion(bundle.data_version),
        metadata=metadata,
        check_results=check_results(bundle.report),
    )


def _failure(error: LadderExhausted) -> dg.Failure:
    metadata = {"log": error.log_tail, "attempts": attempts_table(error.attempts)}
    return dg.Failure(str(error), metadata=metadata, allow_retries=False)
