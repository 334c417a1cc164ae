"""The desk: every input is checked and registered here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ds3d_pipeline.capture.inputs import capture_id, capture_sha256, check_upload
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.registrations import check_capture_key, check_readable, register_upload


def accept(paths: Sequence[Path], options: CaptureOptions, name: str | None = None) -> str:
    """Checks and registers the input and returns the key; raises InputError before anything is written."""
    for path in paths:
        check_readable(path)
    inputs = check_upload(paths, options)
    sha256 = capture_sha256(inputs.files, options)
    capture = check_capture_key(name) if name else capture_id(inputs, sha256)
    register_upload(prepare_home(), capture, paths, sha256)
    return capture
