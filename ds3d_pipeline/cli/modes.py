"""`ds3d modes`: every option with its value in each mode."""

from __future__ import annotations

from rich.table import Table

from ds3d_pipeline.cli.output import console
from ds3d_pipeline.names import MODES as MODE_NAMES
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.options import shown
from ds3d_pipeline.stages.options_table import options_by_mode


def print_modes() -> None:
    """One table for all stages; what every mode has alike is shown too, since `--set` takes it."""
    table = Table(box=None, pad_edge=False)
    for name in ("option", *MODE_NAMES, "takes"):
        table.add_column(name, overflow="fold")
    for stage in STAGES:
        for options in options_by_mode(stage):
            values = [shown(option.value) for option in options]
            table.add_row(f"{stage}.{options[0].name}", *values, options[0].allowed)
    console().print(table)
