"""The options of the metrics stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ds3d_pipeline.programs.options import Allowed, Place, options_record


@options_record
class MetricsOptions:
    """Where the finished capture is written."""

    output: Annotated[str, Field(min_length=1), Allowed("a folder"), Place()] = "outputs"
    """Folder in which `<capture>/` is written."""
