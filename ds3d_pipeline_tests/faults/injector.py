"""Faults in whole commands: the process group killed, or the disk full, at the n-th change of a file."""

import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ds3d_pipeline_tests.captures import DS3D, environment

SOURCE = Path(__file__).with_name("injector.c")
Kind = Literal["kill", "full"]
"""`kill`: at the n-th rename, link, unlink, mkdir or rmdir the whole process group gets SIGKILL. `full`: from
the n-th write, new file or new folder on, each of them fails with ENOSPC."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens at the `at`-th operation on anything below `under`; 0 only counts them.

    Only paths that contain `part` count.
    """

    kind: Kind
    under: Path
    at: int
    part: str = "/"


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A command that ran with a fault."""

    returncode: int
    said: str
    """Standard output and error together."""
    operations: int
    """How many operations there were; at least `at` if the fault struck."""


def compile_injector(folder: Path) -> Path:
    """The shared library, from its one file."""
    library = folder / "injector.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return library


def run_struck(library: Path, fault: Fault, home: Path, *words: object, timeout: float = 500) -> Struck:
    """Runs `ds3d` in a session of its own with the fault in it and in its children."""
    count = library.with_name(f"count.{os.getpid()}")
    count.write_bytes(bytes(8))
    variables = {
        "LD_PRELOAD": str(library),
        "FAULT_UNDER": str(fault.under),
        "FAULT_PART": fault.part,
        "FAULT_KIND": fault.kind,
        "FAULT_AT": str(fault.at),
        "FAULT_COUNT": str(count),
    }
    process = subprocess.run(
        [*DS3D, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(home) | variables,
        start_new_session=True,
        timeout=timeout,
        check=False,
    )
    (operations,) = struct.unpack("q", count.read_bytes())
    return Struck(returncode=process.returncode, said=process.stdout, operations=operations)
