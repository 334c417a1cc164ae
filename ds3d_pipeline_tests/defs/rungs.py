"""A stage program whose backends end in every way that a program can end."""

import os
import signal
import sys
import time
from typing import Any

from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.options import KeyframesOptions
from ds3d_pipeline.program import Work, program_main


def works(work: Work[KeyframesOptions]) -> dict[str, Any]:
    (work.output / "made.txt").write_text("by works")
    return {"answer": 42}


def refuses(work: Work[KeyframesOptions]) -> dict[str, Any]:
    (work.output / "half.txt").write_text("half")
    raise StageError("Only 2 of 9 pixels match.", "Film more slowly.")


def unusable(work: Work[KeyframesOptions]) -> dict[str, Any]:
    raise InputError("a.jpg is text.", "Give photos.")


def segfaults(work: Work[KeyframesOptions]) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def out_of_memory(work: Work[KeyframesOptions]) -> dict[str, Any]:
    """The kernel's out-of-memory killer sends this signal."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def interrupted(work: Work[KeyframesOptions]) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
    return {}


def kills_its_step(work: Work[KeyframesOptions]) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    return {}


BACKENDS = {
    body.__name__: body
    for body in (works, refuses, unusable, segfaults, out_of_memory, interrupted, kills_its_step)
}

if __name__ == "__main__":
    sys.exit(program_main(KeyframesOptions, BACKENDS))
