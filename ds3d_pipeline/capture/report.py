"""What the capture stage reports."""

from __future__ import annotations

from ds3d_pipeline.programs.reports import report_record
from ds3d_pipeline.scene import CaptureKind


@report_record
class CaptureReport:
    """The accepted upload."""

    kind: CaptureKind
    """One video, or photos."""
    files: int
    """Files that were accepted."""
    bytes: int
    """Size of all accepted files."""
    sha256: str
    """Over the contents of all files, whatever their names."""
    skipped: tuple[str, ...] = ()
    """Files that were left out, by the user's own names, with the reason."""
    cut_off: tuple[str, ...] = ()
    """What is missing of a file whose end is missing, one sentence each."""
