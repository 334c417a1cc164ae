"""Dagster's config of every stage, made from its options record: what a user may set in the Launchpad."""

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import Field, create_model

from ds3d_pipeline.defs.mode import ModeResource
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.names import DEFAULT_MODE, STAGES
from ds3d_pipeline.programs.options import allowed_words, is_record, record_fields, shown
from ds3d_pipeline.stages.modes import MODES, Mode
from ds3d_pipeline.stages.table import STAGE_CARDS


class StageConfig(dg.Config):
    """What every stage lets the user choose: empty fields follow the mode."""

    prefer: str | None = None

    def apply(self, mode: Mode, stage: str) -> Any:
        """The mode's options of a stage with the fields that were set here in their place.

        Raises InputError for a value that does not fit.
        """
        return mode.options_with(stage, options_table(self.model_dump()))


class UploadConfig(StageConfig):
    """Of the first stage, which also takes the paths to read."""

    inputs: list[str] | None = Field(
        default=None,
        description="Paths of one video, or of photos, a folder or a zip. Empty: the registered upload.",
    )


_NO_OPTIONS = ("prefer", "inputs")
"""Fields beside the options."""


def options_table(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a stage's config sets, nested ones too."""
    return {key: value for key, value in _set(config).items() if key not in _NO_OPTIONS}


def check_run_config(mode: Mode, run_config: Mapping[str, Any]) -> None:
    """Checks the options of all stages of a run, so that no late stage fails by a value known before.

    Raises InputError for the first value that does not fit.
    """
    for stage, op in run_config.get("ops", {}).items():
        if stage in STAGES:
            mode.options_with(stage, options_table(op.get("config") or {}))


def checked_options(
    context: dg.AssetExecutionContext, stage: str, config: StageConfig, mode: ModeResource
) -> Any:
    """The options of a stage in this run; raises dg.Failure where any stage's options do not fit."""
    resolved = mode.resolve(context)
    try:
        check_run_config(resolved, context.run.run_config)
        return config.apply(resolved, stage)
    except InputError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def stage_config(stage: str) -> type[StageConfig]:
    """The config of a stage: every option, optional, with its text, what it takes, and nested tables."""
    base = UploadConfig if stage == "capture" else StageConfig
    options = MODES[DEFAULT_MODE].options(stage)
    fields: dict[str, Any] = _fields(options)
    fields["prefer"] = (str | None, Field(default=None, description=STAGE_CARDS[stage].prefer_help))
    name, about = f"{type(options).__name__}Config", type(options).__doc__
    return create_model(name, __base__=base, __doc__=about, **fields)


def _set(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty fields, and without those that Dagster reads from the environment in the step itself."""
    tables = {key: _set(value) if isinstance(value, Mapping) else value for key, value in config.items()}
    return {
        key: value
        for key, value in tables.items()
        if value is not None and value != {} and not (isinstance(value, Mapping) and set(value) == {"env"})
    }


def _fields(options: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, field in record_fields(type(options)).items():
        value = getattr(options, name)
        if is_record(value):
            record = type(value)
            kind: Any = create_model(f"{record.__name__}Config", __base__=dg.Config, **_fields(value))
            about = record.__doc__
        else:
            kind = _dagster_type(field.annotation)
            doc = " ".join((field.description or "").split())
            about = f"{doc} Takes {allowed_words(field)}; by default {shown(value)}."
        fields[name] = (kind | None, Field(default=None, description=about))
    return fields


def _dagster_type(annotation: Any) -> Any:
    """Dagster's config knows lists where frozen records hold tuples, and text where they hold one of some."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return str
    if origin in (Union, types.UnionType):
        return _dagster_type(next(kind for kind in arguments if kind is not type(None)))
    if origin is tuple:
        inner = {_dagster_type(kind) for kind in arguments if kind is not Ellipsis}
        return list[inner.pop()]
    return annotation
