"""What is wrong with the Dagster instance of a home, in words."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.programs.faults import chain

REMEDY = "Correct it, or move it away: ds3d then writes its own."


def explain_instance(error: BaseException, root: Path) -> StageError | None:
    """Cause and remedy where `dagster.yaml` of the home at `root` cannot be used; None for other errors."""
    file = root / "dagster.yaml"
    for below in chain(error):
        module = type(below).__module__
        if module.startswith("yaml."):
            return StageError(f"{file} is not valid YAML{_line(below)}.", REMEDY)
        if module.startswith("psycopg2"):
            return StageError(
                "The database of the Dagster instance does not answer.", "Start it, or check dagster.yaml."
            )
        if module.startswith("dagster") and (fault := _config_fault(below)):
            return StageError(f"{file} cannot be used: {fault}.", REMEDY)
    return None


def _line(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f" (line {mark.line + 1})"


def _config_fault(error: BaseException) -> str | None:
    """What Dagster found wrong, without its list of all that it would take."""
    errors, text = sys.modules["dagster._core.errors"], " ".join(str(error).split())
    if "when attempting to load the" in text:
        return text[:200]
    if not isinstance(error, (errors.DagsterInvalidConfigError, errors.DagsterInvariantViolationError)):
        return None
    if text.startswith("Error in config for"):
        return None
    if isinstance(error, errors.DagsterInvalidConfigError):
        found = re.search(r"Error 1: (.*?)(?:\. Expected|$)", text)
        return found[1][:200] if found else text[:200]
    return text[:200] if "dagster.yaml" in text else None
