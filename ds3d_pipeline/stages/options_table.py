"""The table of all options in Markdown: `python -m ds3d_pipeline.stages.options_table > docs/options.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ds3d_pipeline.names import MODES as MODE_NAMES
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.programs.options import list_options, shown
from ds3d_pipeline.stages.modes import MODES

_HEAD = """# Options

Made by `python -m ds3d_pipeline.stages.options_table > docs/options.md`; do not edit.

Every option of every stage, with its value in each mode. Set one with
`ds3d reconstruct ... --set poses.max_features=4000`, several in a file with a table per stage
(`--config own.toml`, or a sidecar beside an upload), or in Dagster's Launchpad. A value that does not fit is
refused in one sentence before any work starts. Changing an option makes its stage and all that depends on it
again.
"""


def options_table() -> str:
    """The whole page: one table a stage."""
    return _HEAD + "".join(_section(stage) for stage in STAGES)


def _section(stage: str) -> str:
    about = (type(MODES[MODE_NAMES[0]].options(stage)).__doc__ or "").strip()
    head = f"| option | {' | '.join(MODE_NAMES)} | takes | what it is |"
    rule = "|---" * (len(MODE_NAMES) + 3) + "|"
    return "\n".join(["", f"## {stage}", "", about, "", head, rule, *_rows(stage), ""])


def _rows(stage: str) -> Iterator[str]:
    by_mode = [list(list_options(MODES[name].options(stage))) for name in MODE_NAMES]
    for options in zip(*by_mode, strict=True):
        first, values = options[0], [f"`{shown(option.value)}`" for option in options]
        cells = [f"`{stage}.{first.name}`", *values, first.allowed, first.doc]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(options_table())
