"""The card of a stage: all that the product knows about it, as one frozen record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds3d_pipeline.containers.engine import look_at_engine, why_no_container
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.programs.rungs import Probe, Rung
from ds3d_pipeline.storage.bundles import StageReport

FileCheck = Callable[[Path], Iterator[str]]
"""Takes a stage's folder and yields one sentence for each fault in its files."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a gate: one sentence with its numbers."""

    passed: bool
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A limit on a stage's report.

    Missing it makes the capture `degraded`; missing a `blocking` one stops the run.
    """

    name: str
    about: str
    judge: Callable[[StageReport], Verdict]
    blocking: bool = False
    covered_by: str = ""
    """Skipped in the reasons if this other gate failed too."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """An option that makes a stage smaller where memory is short."""

    option: str
    least: int
    """The smallest useful value."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """A file, or a folder with a slash at the end, of the finished folder."""

    name: str
    about: str
    """What it is, in sentences."""
    source: str | None = None
    """Its name in the stage's bundle; None where publishing writes it."""


def heavy_pool() -> str:
    """The pool of a stage that works on the CPU: one such step at a time."""
    return "heavy"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What Dagster's assets and checks, the command line, doctor and the documentation are made from."""

    name: str
    label: str
    """Its plain name, in every sentence that a user reads."""
    about: str
    """What it makes, in one sentence."""
    options: type[Any]
    report: type[Any]
    """What its programs write as `result.json`."""
    code_version: str
    """Raised when it makes other files of the same input.

    It goes into the stage's fingerprint, so its stored files and those made of them count as stale, and into
    the asset's `code_version`, so the UI shows it.
    """
    reads: tuple[str, ...] = ()
    """The stages whose bundles it reads."""
    rungs: tuple[Rung, ...] = ()
    """The ladder, best first; empty where no program makes the stage's files."""
    gates: tuple[Gate, ...] = ()
    check_files: FileCheck | None = None
    knobs: tuple[Knob, ...] = ()
    """In the order in which they are applied."""
    products: tuple[Product, ...] = ()
    """What users get of it."""
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
        """The help of the option `prefer`."""
        return f"Backend to try first: {', '.join(self.backends)}. Empty: tried in this order."


def has_gpu() -> bool:
    """Whether a rung that is fastest with a GPU is tried first."""
    return look_at_engine().gpus


def boxed(image: str, *, needs_gpu: bool = False) -> Probe:
    """The probe of a rung that runs in a container."""
    return lambda _options: why_no_container(image, needs_gpu=needs_gpu)


def worker_threads() -> int:
    """How many images the stages work on at once."""
    return min(8, allowed_cpus())


def _valid(report: StageReport) -> Verdict:
    text = " ".join(report.faults) or "All files can be read back and are valid."
    return Verdict(passed=not report.faults, text=text, numbers={"faults": len(report.faults)})


VALID_FILES = Gate(
    name="valid_files",
    about="All files can be read back and contain only finite numbers.",
    judge=_valid,
    blocking=True,
)
