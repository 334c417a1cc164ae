"""A request as Dagster keeps it, the config and tags of a run, and back."""

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

from ds3d_pipeline.defs.mode import MODE_TAG
from ds3d_pipeline.defs.runs import PARTITION_TAG
from ds3d_pipeline.intake.request import RunRequest, Source
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.stages.modes import MODES

SOURCE_TAG = "ds3d/source"
UPLOAD_TAG = "ds3d/upload"
START_TAG = "ds3d/from"
OTHER_OPTIONS_TAG = "ds3d/other_options"
"""Options of the stages that the run leaves out: Dagster refuses config for them, a report needs them."""
REUSED_TAG = "ds3d/reused"
"""The data versions of those stages, so that a run which waits in the queue reads what it was planned on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """What a run is started with, beside its partition, the capture's key."""

    job_name: str
    run_config: dict[str, Any]
    tags: dict[str, str]


def launch_of(
    request: RunRequest, stages: Collection[str], reused: Mapping[str, str] | None = None
) -> Launch:
    """The run of a request over these `stages`; `reused` has the data versions of the others."""
    tables = _config_tables(request)
    others = {stage: table for stage, table in tables.items() if stage not in stages}
    values = {
        MODE_TAG: request.mode,
        SOURCE_TAG: request.source,
        UPLOAD_TAG: request.upload,
        START_TAG: request.start or "",
        OTHER_OPTIONS_TAG: json.dumps(others) if others else "",
        REUSED_TAG: json.dumps(dict(reused)) if reused else "",
    }
    return Launch(
        job_name=f"reconstruct_{request.mode}",
        run_config={
            "ops": {stage: {"config": table} for stage, table in tables.items() if stage in stages},
            "resources": {"mode": {"config": {"name": request.mode}}},
        },
        tags={tag: text for tag, text in values.items() if text},
    )


def request_of(run_config: Mapping[str, Any], tags: Mapping[str, str]) -> RunRequest:
    """What the user of a run asked for, from its config and tags, whoever launched it."""
    tables = json.loads(tags.get(OTHER_OPTIONS_TAG, "{}"))
    tables |= {stage: op.get("config", {}) for stage, op in run_config.get("ops", {}).items()}
    # The UI writes null for what was left empty.
    tables = {stage: {k: v for k, v in table.items() if v is not None} for stage, table in tables.items()}
    inputs = tables.get("capture", {}).pop("inputs", ())
    prefer = {stage: table.pop("prefer") for stage, table in tables.items() if "prefer" in table}
    mode = _mode(run_config, tags)
    return RunRequest(
        capture=tags.get(PARTITION_TAG, ""),
        inputs=tuple(inputs),
        mode=mode,
        output=Path(tables.get("metrics", {}).pop("output", MODES[mode].metrics.output)),
        tables={stage: table for stage, table in tables.items() if table},
        prefer=prefer,
        start=tags.get(START_TAG),
        source=_source(tags),
        upload=tags.get(UPLOAD_TAG, ""),
    )


def _config_tables(request: RunRequest) -> dict[str, dict[str, Any]]:
    """Everything that Dagster's config has a field for, by stage."""
    tables = {stage: dict(table) for stage, table in request.tables.items() if table}
    tables.setdefault("metrics", {})["output"] = str(request.output)
    for stage, backend in request.prefer.items():
        tables.setdefault(stage, {})["prefer"] = backend
    if request.inputs:
        tables.setdefault("capture", {})["inputs"] = list(request.inputs)
    return tables


def _mode(run_config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    named = run_config.get("resources", {}).get("mode", {}).get("config", {}).get("name", "auto")
    return tags.get(MODE_TAG, DEFAULT_MODE) if named == "auto" else named


def _source(tags: Mapping[str, str]) -> Source:
    tag = tags.get(SOURCE_TAG)
    return next((source for source in get_args(Source) if source == tag), "dagster")
