"""`metrics.json` as a record, from which its schema is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.mesh.report import MeshReport
from ds3d_pipeline.names import MODES
from ds3d_pipeline.pointcloud.report import PointcloudReport
from ds3d_pipeline.poses.report import PosesReport, SceneScale
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.reports import report_record
from ds3d_pipeline.scene import CaptureKind
from ds3d_pipeline.splats.report import SplatReport

T = TypeVar("T")


class Status(StrEnum):
    """How a capture came out."""

    OK = "ok"
    DEGRADED = "degraded"
    """There is 3D of reduced quality; the reasons name what costs it."""
    FAILED = "failed"
    """There is no 3D."""


def _none(value: Any) -> Any:
    return None if value == {} else value


def _empty(value: Any, write: Callable[[Any], Any]) -> Any:
    return {} if value is None else write(value)


class _EmptyForNone:
    """Writes None as an empty table, and reads it back."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        write = core_schema.wrap_serializer_function_ser_schema(_empty)
        return core_schema.no_info_before_validator_function(_none, handler(source), serialization=write)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        parts = handler(schema)["anyOf"]
        empty = {"type": "object", "maxProperties": 0}
        return {"anyOf": [empty if part == {"type": "null"} else part for part in parts]}


Made = Annotated[T | None, _EmptyForNone]
"""What a stage reports; None, and `{}` in the file, where it was not made."""
NotNegative = Annotated[float, Field(ge=0)]
ModeName = Annotated[str, Field(json_schema_extra={"enum": list(MODES)})]


@report_record
class AttemptFacts:
    """One rung of a ladder."""

    backend: str
    outcome: Outcome
    reason: str
    """In one sentence, with a remedy; empty if it succeeded."""
    seconds: NotNegative


@report_record
class StageFacts:
    """How a stage's files came about."""

    backend: str | None
    """The one that made them; None where none did."""
    attempts: tuple[AttemptFacts, ...]
    seconds: NotNegative
    peak_memory_mb: NotNegative
    compile_seconds: NotNegative = 0.0
    """Of the seconds, those spent on compiling kernels, once per machine."""


@report_record
class InputFacts:
    """The upload."""

    kind: CaptureKind
    sha256: str
    """Over the contents of all files, whatever their names."""
    frames: int
    """Photos, or frames of the video as its container counts them."""
    size: tuple[int, int]
    """Width and height of the first source in pixels."""


@report_record
class FrameFacts:
    """A keyframe."""

    image: str
    """Its file under `images/`, where it was registered."""
    source: str
    """The user's own file name."""
    timestamp_s: float | None
    """Time in the video; None of a photo."""
    sharpness: float


@report_record
class FileFacts:
    """A file of the finished folder."""

    bytes: int
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@report_record
class Metrics:
    """Status, reasons and numbers of a finished capture."""

    schema_version: Literal[1]
    capture: str
    """Its name."""
    mode: ModeName
    status: Status
    reasons: tuple[Annotated[str, Field(min_length=1)], ...]
    """Why the status is not ok, what matters most first."""
    seed: int
    """Of all random choices."""
    versions: dict[str, str]
    """Of Python and the packages that count."""
    stages: dict[str, StageFacts]
    """By the stage's name; those that were never reached are missing."""
    poses: Made[PosesReport]
    depth: Made[DepthReport]
    pointcloud: Made[PointcloudReport]
    mesh: Made[MeshReport]
    splat: Made[SplatReport]
    scale: SceneScale
    """The unit of all lengths."""
    world_from_gltf: tuple[tuple[float, ...], ...] | None = None
    """(4, 4) transform, row by row, from the frame of GLB and SPZ into that of PLY, `sparse/` and cameras.

    None of an earlier version, whose mesh was centred: then it is in the extras of the node in `model.glb`.
    """
    files: dict[str, FileFacts]
    """Of the finished folder, by name, without metrics.json itself."""
    total_seconds: NotNegative
    """Of all attempts of all stages."""
    input: InputFacts | None
    keyframes: tuple[FrameFacts, ...]


def metrics_json(metrics: Metrics) -> dict[str, Any]:
    """The content of `metrics.json`."""
    return RootModel[Metrics](metrics).model_dump(mode="json", by_alias=True)


def read_metrics(content: Mapping[str, Any]) -> Metrics:
    """The record of such a content; raises ValueError where it does not fit."""
    return RootModel[Metrics].model_validate(dict(content)).root


def load_metrics(path: Path) -> Metrics:
    """The record in a `metrics.json`; raises InputError where there is none, or one that does not fit."""
    try:
        return read_metrics(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise InputError(
            f"{path.parent} is not a finished capture: it has no {path.name}.",
            "Give the folder that a run has finished.",
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged, or was written by another version of ds3d.",
            "Reconstruct the capture again: finished stages are reused.",
        ) from error
