"""`ds3d export`: a finished capture for another program."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ds3d_pipeline.export.export import ExportRequest, export_capture
from ds3d_pipeline.export.placing import read_crop
from ds3d_pipeline.viewer.finished import find_finished


def export(args: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Writes the file. Raises InputError where that cannot be done."""
    request = ExportRequest(
        format=args.to,
        file=args.file,
        crop=read_crop(args.crop) if args.crop else None,
        up=args.up,
        scale=args.scale,
    )
    exported = export_capture(find_finished(args.capture, args.output), request)
    for file in exported.files:
        say(f"Wrote {file.absolute()}")
    say(exported.note)
