"""The options of the capture stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ds3d_pipeline.programs.options import options_record


@options_record
class CaptureOptions:
    """Limits on the upload."""

    max_files: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Maximum number of photos per capture."""
    max_bytes: Annotated[int, Field(ge=1, le=10**15)] = 20_000_000_000
    """Maximum size of a capture in bytes, unpacked."""
    min_side_px: Annotated[int, Field(ge=1, le=20_000)] = 64
    """Smaller photos and videos (shorter side) are rejected."""
