"""Matched and verified pairs in a COLMAP database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pycolmap

CHUNK = 200
"""Pairs matched between two reports of progress."""


def match_pairs(
    database: Path, pairs: Sequence[tuple[str, str]], *, seed: int, report: Callable[..., None]
) -> None:
    """Matches and verifies the named pairs of images; pairs that are already there are left alone."""
    matching = pycolmap.FeatureMatchingOptions(use_gpu=False)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    listed = database.with_name("pairs.txt")
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        listed.write_text("".join(f"{first} {second}\n" for first, second in chunk), encoding="utf-8")
        pycolmap.match_image_pairs(
            database,
            matching_options=matching,
            pairing_options=pycolmap.ImportedPairingOptions(match_list_path=listed),
            verification_options=verification,
            device=pycolmap.Device.cpu,
        )
        done = start + len(chunk)
        report(done / len(pairs), f"matched {done} of {len(pairs)} pairs")
