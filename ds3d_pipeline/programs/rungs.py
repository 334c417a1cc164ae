"""A rung of a ladder as data: what it needs, the programs it runs, and what each of them runs in."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Probe = Callable[[Any], str | None]
"""Takes the stage's options; None means the rung can run here, a sentence says why it cannot."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a stage has to work on; all that is not known yet is 0."""

    images: int = 0
    size_wh: tuple[int, int] = (0, 0)
    """Of the largest image, in pixels."""
    is_video: bool = False
    points: int = 0

    def megapixels(self, max_side_px: float = math.inf) -> float:
        """Of one image whose longer side is at most `max_side_px`."""
        scale = min(1.0, max_side_px / max(*self.size_wh, 1))
        return self.size_wh[0] * self.size_wh[1] * scale**2 / 1e6


MemoryModel = Callable[[Load, Any], float]
"""Takes the load and the stage's options and gives the peak of a rung's programs in MB, as fitted."""


def always(_options: Any) -> None:
    """The probe of a rung that needs nothing but this package."""


def complete(_options: Any) -> None:
    """The shortfall of a rung that lacks nothing."""


def never() -> bool:
    """What keeps a rung in its place."""
    return False


@dataclass(frozen=True, kw_only=True)
class Box:
    """The container that a program runs in."""

    image: str
    """A key of `engine.IMAGES`, or an image's name."""
    gpu: Literal["no", "if there", "must"] = "no"
    forgives: tuple[str, ...] = ()
    """What the end of the log may say where the program failed and the next one is to judge it."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of a rung, in a child process or in a box: a backend of the rung's module, or a script."""

    backend: str = ""
    """As the module calls it; empty where it is the rung's name."""
    script: str = ""
    """A shell script that the program before wrote to the output folder; empty runs the backend."""
    box: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One way to make a stage's artifact: programs that keep the contract of `programs.contract`.

    They run one after the other on the same folders, and the last one's result counts.
    """

    name: str
    module: str
    probe: Probe = always
    label: str = ""
    """Its plain name within a sentence, such as "a single photo"; empty takes `name`."""
    summary: str = ""
    """What it is, in a few words without a full stop."""
    shortfall: Probe = complete
    """Takes the stage's options; a sentence says what the artifact lacks when this rung made it."""
    memory_mb: MemoryModel | None = None
    """None where it was never measured, so that it is not judged."""
    programs: tuple[Program, ...] = (Program(),)
    leads: Callable[[], bool] = never
    """Whether this machine has what makes the rung the best one, so that it comes first."""
    takes_one_view: bool = False
    """Whether one photo is enough for it, so that it does not fail because earlier stages found no more."""

    @property
    def is_boxed(self) -> bool:
        """Whether any of it runs in a container."""
        return any(program.box for program in self.programs)

    def argv(
        self, input_dir: str, output_dir: str, options_file: str, program: Program | None = None
    ) -> tuple[str, ...]:
        """The command line of one of its programs, the first by default."""
        program = program or self.programs[0]
        if program.script:
            return ("sh", f"{output_dir}/{program.script}", input_dir, output_dir)
        python = "python" if program.box else sys.executable
        command = (python, "-m", self.module, input_dir, output_dir)
        return (*command, "--backend", program.backend or self.name, "--options", options_file)
