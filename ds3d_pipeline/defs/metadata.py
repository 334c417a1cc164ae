"""What a person sees of a bundle in the UI: numbers, small pictures, and how it came about."""

import base64
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ds3d_pipeline.bundles import Bundle

MAX_THUMBNAIL_BYTES = 50_000


def describe(bundle: Bundle) -> dict[str, Any]:
    """Metadata of a materialisation: backend, attempts, the program's numbers, pictures under 50 kB."""
    report = bundle.report
    attempts = [
        dg.TableRecord(
            {"backend": a.backend, "outcome": a.outcome, "reason": a.reason, "seconds": round(a.seconds, 2)}
        )
        for a in report.attempts
    ]
    return {
        "backend": report.backend,
        "attempts": dg.MetadataValue.table(attempts),
        "seconds": round(report.seconds, 2),
        "peak_memory_mb": round(report.peak_memory_mb, 1),
        **_numbers(report.result),
        **_pictures(bundle),
    }


def _numbers(result: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{prefix}{key}_")
        elif isinstance(value, (int, float, str)):
            found[f"{prefix}{key}"] = value
    return found


def _pictures(bundle: Bundle) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(bundle.folder.iterdir()):
        if path.suffix in (".jpg", ".png"):
            small = path.stat().st_size <= MAX_THUMBNAIL_BYTES
            found[path.stem] = (
                _inline(path.read_bytes(), path.suffix) if small else dg.MetadataValue.path(str(path))
            )
    return found


def _inline(data: bytes, suffix: str) -> dg.MetadataValue:
    kind = "jpeg" if suffix == ".jpg" else "png"
    return dg.MetadataValue.md(f"![picture](data:image/{kind};base64,{base64.b64encode(data).decode()})")
