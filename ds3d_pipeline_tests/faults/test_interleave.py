"""Two writers and a reader of one place, at random interleavings: what is read is always whole."""

import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from ds3d_pipeline.storage.bundles import Attempt, StageReport, fetch, publish, seal
from ds3d_pipeline_tests.faults.interleaving import interleave

TEXTS = ("one", "two")
texts = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2)
schedules = st.lists(st.integers(0, 2), max_size=200)


def publish_text(root: Path, place: UPath, text: str, fingerprint: str) -> None:
    folder = Path(tempfile.mkdtemp(dir=root))
    (folder / "file.txt").write_text(text)
    report = StageReport(
        stage="mesh",
        backend="poisson",
        attempts=(Attempt(backend="poisson", outcome="ok"),),
        seconds=1.0,
        peak_memory_mb=1.0,
        fingerprint=fingerprint,
        result={},
    )
    publish(seal(folder, report), place)


def read_whole(place: UPath, root: Path) -> None:
    """Whatever is current: one of the texts, never a complaint about a damaged file."""
    try:
        bundle = fetch(place, root / "cache")
    except FileNotFoundError:
        return
    assert (bundle.folder / "file.txt").read_text() in TEXTS


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(first=texts, second=texts, schedule=schedules)
def test_two_writers_and_a_reader_of_one_place(first, second, schedule):
    root = Path(tempfile.mkdtemp())
    place = UPath(root / "storage" / "mesh" / "room")

    def write(number: int, drawn: list[str]) -> None:
        for n, text in enumerate(drawn):
            publish_text(root, place, text, f"{number}.{n}")

    def read() -> None:
        for _ in range(4):
            read_whole(place, root)

    works = [lambda: write(1, first), lambda: write(2, second), read]
    interleave(works, itertools.chain(schedule, itertools.cycle((0, 1, 2))))
    assert fetch(place, root / "cache").report.fingerprint in {
        f"{number}.{len(drawn) - 1}" for number, drawn in ((1, first), (2, second))
    }
    shutil.rmtree(root)
