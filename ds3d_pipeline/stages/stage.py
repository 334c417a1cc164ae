"""The card of a stage: all that the product knows about it, as one frozen record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ds3d_pipeline.containers.engine import look_at_engine, why_no_container
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.programs.rungs import Probe, Rung
from ds3d_pipeline.storage.bundles import StageReport

FileCheck = Callable[[Path], Iterator[str]]
"""Takes a stage's folder and says what is wrong with its files, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a gate says, in one sentence with its numbers."""

    passed: bool
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One question asked of a stage's report. One that is `blocking` stops what would be worthless.

    One that is missed makes the capture `degraded`.
    """

    name: str
    about: str
    judge: Callable[[StageReport], Verdict]
    blocking: bool = False
    covered_by: str = ""
    """The gate whose miss already says this one's."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """An option that makes a stage smaller where memory is short."""

    option: str
    least: int
    """The smallest value that is still worth having."""


def heavy_pool() -> str:
    """The pool of a stage that works on the CPU: one such step at a time."""
    return "heavy"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What Dagster's assets and checks, the command line, doctor and the documentation are made from."""

    name: str
    label: str
    """As a heading."""
    about: str
    """What it makes, in one sentence."""
    options: type
    report: type
    """What its programs write as `result.json`."""
    code_version: str
    """Raised when it makes other files of the same input.

    It goes into the stage's fingerprint, so its stored files and those made of them count as stale, and into
    the asset's `code_version`, so the UI says so.
    """
    reads: tuple[str, ...] = ()
    """The stages whose bundles it reads."""
    rungs: tuple[Rung, ...] = ()
    """The ladder, best first; empty where no program makes the stage's files."""
    gates: tuple[Gate, ...] = ()
    check_files: FileCheck | None = None
    knobs: tuple[Knob, ...] = ()
    """In the order in which they are turned."""
    kinds: tuple[str, ...] = ()
    """Dagster's tags of what it is made with."""
    pool: Callable[[], str] = heavy_pool
    """Dagster's pool, asked where the graph is defined."""

    @property
    def backends(self) -> tuple[str, ...]:
        """The names of the rungs, best first."""
        return tuple(rung.name for rung in self.rungs)

    @property
    def prefer_help(self) -> str:
        """What the config says of the option `prefer`."""
        return f"Backend to try first: {', '.join(self.backends)}. Empty follows the ladder in this order."


def has_gpu() -> bool:
    """What moves a rung to the front that is the fastest with a GPU."""
    return look_at_engine().gpus


def boxed(image: str, *, needs_gpu: bool = False) -> Probe:
    """The probe of a rung that runs in a container."""
    return lambda _options: why_no_container(image, needs_gpu=needs_gpu)


def worker_threads() -> int:
    """How many images the stages work on at once."""
    return min(8, allowed_cpus())


def _valid(report: StageReport) -> Verdict:
    text = " ".join(report.faults) or "Every file was read back and is sound."
    return Verdict(passed=not report.faults, text=text, numbers={"faults": len(report.faults)})


VALID_FILES = Gate(
    name="valid_files",
    about="The files can be read back and hold finite numbers; others would be made of nothing.",
    judge=_valid,
    blocking=True,
)
