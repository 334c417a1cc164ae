"""A stage program whose backends end in every way that a program can end."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.formats.colmap import write_array
from ds3d_pipeline.programs.contract import Work, program_main
from ds3d_pipeline.stages.table import STAGE_CARDS


def works(work: Work[DepthOptions]) -> dict[str, Any]:
    (work.output / "made.txt").write_text("by works")
    write_array(work.output / "depth" / "a.jpg.bin", np.ones((2, 2), np.float32))
    return {"answer": 42, "coverage": 1.0, "side": work.options.max_side_px}


def refuses(work: Work[DepthOptions]) -> dict[str, Any]:
    (work.output / "half.txt").write_text("half")
    raise StageError("Only 2 of 9 pixels match.", "Film more slowly.")


def unusable(work: Work[DepthOptions]) -> dict[str, Any]:
    raise InputError("a.jpg is text.", "Give photos.")


def segfaults(work: Work[DepthOptions]) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def out_of_memory(work: Work[DepthOptions]) -> dict[str, Any]:
    """The kernel's out-of-memory killer sends this signal."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def interrupted(work: Work[DepthOptions]) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
    return {}


def half_done(work: Work[DepthOptions]) -> dict[str, Any]:
    """Takes itself for done, with a map that is none."""
    works(work)
    (work.output / "depth" / "b.jpg.bin").write_bytes(b"9&9&1&")
    return {"coverage": 1.0}


def stalls(work: Work[DepthOptions]) -> dict[str, Any]:
    """Says one thing and then nothing for long."""
    work.progress(0.25, "thinking")
    time.sleep(2.5)
    return works(work)


def says_nothing(work: Work[DepthOptions]) -> dict[str, Any]:
    time.sleep(2.5)
    return works(work)


def kills_its_step(work: Work[DepthOptions]) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    return {}


BACKENDS = {
    body.__name__: body
    for body in (
        *(works, refuses, unusable, segfaults, out_of_memory, interrupted, stalls, says_nothing),
        *(half_done, kills_its_step),
    )
}


def options_type() -> type:
    """Of the stage in whose work folder OUTPUT is."""
    stage = Path(sys.argv[2]).parent.name if len(sys.argv) > 2 else ""
    return STAGE_CARDS[stage].options if stage in STAGE_CARDS else DepthOptions


if __name__ == "__main__":
    sys.exit(program_main(options_type(), BACKENDS))
