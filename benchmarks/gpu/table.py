"""The results: one row a part or training, written the moment it is known: a cut leaves what was measured.

    python -m benchmarks.gpu.table PART NOTE

adds a row from the shell. Rows go to `rows.json` and `table.txt` in the folder that `OUT` names.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

OUT = Path(os.environ.get("OUT", "gpu-results"))
WIDTHS = {
    "part": 9,
    "what": 20,
    "iterations": 11,
    "seconds": 8,
    "per_s": 7,
    "psnr_db": 8,
    "ssim": 7,
    "gaussians": 10,
    "gpu_mib": 8,
}
"""The columns and their widths; `note` follows them."""


def read_rows() -> list[dict[str, Any]]:
    """All rows so far."""
    path = OUT / "rows.json"
    return json.loads(path.read_text()) if path.is_file() else []


def tell(part: str, what: str = "", note: str = "", **values: float | int | str) -> None:
    """Adds a row to both files and prints it; values that are no column stand in `rows.json` alone."""
    row = {"part": part, "what": what, **values, "note": note}
    rows = [*read_rows(), row]
    _write("rows.json", json.dumps(rows, indent=1) + "\n")
    lines = [_line({name: name for name in [*WIDTHS, "note"]}), *map(_line, rows)]
    _write("table.txt", "\n".join(lines) + "\n")
    print(_line(row), flush=True)


def first_line(error: BaseException) -> str:
    """What a row says of an error."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _line(row: dict[str, Any]) -> str:
    cells = [_cell(row.get(name, "")).ljust(width) for name, width in WIDTHS.items()]
    return " ".join([*cells, str(row["note"])]).rstrip()


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write(name: str, text: str) -> None:
    """In one step: whoever is cut here leaves the file before."""
    OUT.mkdir(parents=True, exist_ok=True)
    partial = OUT / f"{name}.part"
    partial.write_text(text)
    partial.replace(OUT / name)


if __name__ == "__main__":
    tell(sys.argv[1], note=sys.argv[2])
