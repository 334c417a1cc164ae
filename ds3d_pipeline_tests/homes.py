"""Homes with published bundles, made in a moment."""

from pathlib import Path
from typing import Any

from upath import UPath

from ds3d_pipeline.storage.bundles import Attempt, Bundle, StageReport, publish, seal
from ds3d_pipeline.storage.home import Home

FELL_BACK = (
    Attempt(backend="poisson", outcome="failed", reason="No [surface].", seconds=3.0),
    Attempt(backend="relief", outcome="ok", seconds=2.0),
)


def make_home(root: Path, storage: str | None = None) -> Home:
    """An empty home."""
    home = Home(root=root, storage=storage or str(root / "storage"))
    for folder in (home.work, home.registered):
        folder.mkdir(parents=True)
    return home


def put_bundle(
    home: Home,
    stage: str,
    capture: str,
    text: str,
    *,
    attempts: tuple[Attempt, ...] = (),
    result: dict[str, Any] | None = None,
) -> Bundle:
    """Publishes a bundle of one file with this text; `metrics.json` for the metrics."""
    folder = home.root / "made" / stage / capture / text[:8].strip("{").replace('"', "")
    folder.mkdir(parents=True)
    (folder / ("metrics.json" if stage == "metrics" else "file.txt")).write_text(text)
    attempts = attempts or (Attempt(backend="local", outcome="ok", seconds=1.5),)
    report = StageReport(
        stage=stage,
        backend=attempts[-1].backend,
        attempts=attempts,
        seconds=sum(attempt.seconds for attempt in attempts),
        peak_memory_mb=100.0,
        fingerprint=text,
        result=result or {},
    )
    bundle = seal(folder, report)
    publish(bundle, UPath(home.storage) / stage / capture)
    return bundle
