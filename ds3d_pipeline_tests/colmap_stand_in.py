"""A `colmap` that tells the options of some version and notes its calls, for scripts run by a real shell."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

STAND_IN = """#!/bin/sh
if [ "$1" = help ]; then cat "$COLMAP_KNOWS/help"; exit; fi
if [ "$2" = -h ]; then cat "$COLMAP_KNOWS/$1"; exit; fi
for word in "$@"; do printf '%s\\n' "$word"; done >>"$COLMAP_KNOWS/calls"
echo == >>"$COLMAP_KNOWS/calls"
"""


def run_script(folder: Path, known: Mapping[str, str], source: Path, output: Path, *, gpu: str = "0"):
    """Runs `scratch/colmap.sh` of `output`; the calls in order, each a command and its options.

    `known` is what `colmap help` and the `-h` of each command print.
    """
    knows = folder / "knows"
    knows.mkdir()
    for name, text in known.items():
        (knows / name).write_text(text)
    (folder / "colmap").write_text(STAND_IN)
    (folder / "colmap").chmod(0o755)
    env = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "COLMAP_KNOWS": str(knows), "DS3D_GPU": gpu}
    subprocess.run(["sh", output / "scratch" / "colmap.sh", source, output], check=True, env=env)
    calls = [call.splitlines() for call in (knows / "calls").read_text().split("==\n")[:-1]]
    return [(words[0], dict(zip(words[1::2], words[2::2], strict=True))) for words in calls]
