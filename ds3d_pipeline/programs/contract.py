"""The contract of heavy work: a program with an input folder, an output folder and an exit code.

    python -m ds3d_pipeline.STAGE INPUT OUTPUT [--backend NAME] [--options FILE]

It writes its files and `result.json` into OUTPUT, appends to OUTPUT/`progress.jsonl` while it works and
logs to stderr. Exit 0: done. Exit 3: a StageError, or an error of the machine such as a full disk; its cause
and remedy are in OUTPUT/`error.json`. Anything else is a crash. The program ends by itself when the process
that started it disappears.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs import compiling
from ds3d_pipeline.programs.faults import explain, stops_all
from ds3d_pipeline.programs.options import list_options, read_options, shown
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.programs.threads import keep_to_allowed_cpus

OptionsT = TypeVar("OptionsT")
STAGE_ERROR_EXIT = 3
log = logging.getLogger(__name__)


COMPILING = "compiling kernels (once per machine)"


class Progress:
    """Appends `{"time", "fraction", "message"}` lines; cheap enough to call from inner loops.

    A line with `"compiling": true` begins a time that says nothing of how fast the work is; the next line
    ends it.
    """

    def __init__(self, path: Path | None, *, min_interval_s: float = 0.2) -> None:
        self._path = path
        self._min_interval_s = min_interval_s
        self._last = -math.inf
        self._reached: tuple[float, str] = (0.0, "")

    def __call__(self, fraction: float, message: str = "", **fields: Any) -> None:
        """Reports that `fraction` (0 to 1) of the work is done; extra fields go into the line."""
        self._reached = fraction, message
        if time.monotonic() - self._last >= self._min_interval_s or fraction >= 1:
            self._write(fraction, message, **fields)

    def compiling(self, begins: bool) -> None:
        """Reports that kernels are about to be compiled, or that they are."""
        fraction, message = self._reached
        if begins:
            self._write(fraction, COMPILING, compiling=True)
        else:
            self._write(fraction, message)

    def _write(self, fraction: float, message: str, **fields: Any) -> None:
        if self._path is None:
            return
        self._last = time.monotonic()
        line = {"time": time.time(), "fraction": min(max(fraction, 0.0), 1.0), "message": message, **fields}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def part(self, start: float, end: float) -> Callable[..., None]:
        """A reporter for one part of the work, from `start` to `end` of the whole."""

        def report(fraction: float, message: str = "", **fields: Any) -> None:
            self(start + (end - start) * fraction, message, **fields)

        return report


@dataclass(frozen=True, kw_only=True)
class Work(Generic[OptionsT]):
    """What a program's body gets."""

    input: Path
    output: Path
    backend: str
    options: OptionsT
    progress: Progress


Body = Callable[[Work[OptionsT]], Any]
"""Returns the stage's report."""


def program_main(
    options_type: type[OptionsT], backends: Mapping[str, Body[OptionsT]], argv: list[str] | None = None
) -> int:
    """Runs the body that `--backend` names (the first by default) and returns the exit code.

    What the body returns becomes `result.json`.
    """
    args = _parse(options_type, list(backends), argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    _exit_with_parent()
    keep_to_allowed_cpus()
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        work = _work(options_type, args)
        compiling.tell(work.progress.compiling)
        write_json(args.output / "result.json", backends[args.backend](work))
    except Exception as error:
        known = explain(error, (args.output,))
        if known is None:
            raise
        kind = "input" if isinstance(known, InputError) or stops_all(error) else "stage"
        write_json(args.output / "error.json", {"kind": kind, "cause": known.cause, "remedy": known.remedy})
        log.error("%s", known, exc_info=None if error is known else error)
        return STAGE_ERROR_EXIT
    return 0


def _work(options_type: type[OptionsT], args: argparse.Namespace) -> Work[OptionsT]:
    """What the body gets; raises InputError for options that do not fit."""
    options = options_type()
    return Work(
        input=args.input,
        output=args.output,
        backend=args.backend,
        options=read_options(args.options, options) if args.options else options,
        progress=Progress(args.output / "progress.jsonl"),
    )


def _parse(options_type: type, backends: list[str], argv: list[str] | None) -> argparse.Namespace:
    about = getattr(sys.modules["__main__"], "__doc__", None)
    defaults = "\n".join(
        f"  {option.name}: {shown(option.value)}\n      {option.doc}"
        for option in list_options(options_type())
    )
    parser = argparse.ArgumentParser(
        description=about,
        epilog=f"options and their defaults:\n{defaults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, metavar="INPUT", help="folder")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="folder, made where it is missing")
    parser.add_argument("--backend", choices=backends, default=backends[0])
    parser.add_argument("--options", type=Path, metavar="FILE", help="JSON of the options to change")
    return parser.parse_args(argv)


def _exit_with_parent() -> None:
    """Ends this process group's leader when its parent is gone, so that `kill -9` leaves no worker behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="exit-with-parent", daemon=True).start()
