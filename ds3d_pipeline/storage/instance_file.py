"""The `dagster.yaml` of a home: written where there is none, renewed where it is ours, else the user's."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from ds3d_pipeline.programs.options import is_table

OURS = Path(__file__).with_name("dagster.yaml")
SHIPPED = (
    "457a9c1e4e3e2773778c62349c93a0dfa5280eb46d8672710c96d15e5a48f6c9",
    "a6665fda4007bacfaad9ab149512b96b4ebd7b590761be3b3e339ace730d8605",
    "7f22cbb7f31b6ce474499bc4d8dbee02a90702f00483573bf8fcaee6a41b565e",
    "6aaa86ae035115e29cd2e4d37c61710f17ffcb243ab58f7f0336bbd68b2a3216",
    "aea8efd41b0be51d10465a517418dd293d669e1188c325145f357888ce9fcad3",
)
"""SHA-256 of every one that a version put into a home, the present one last."""


def must_be_written(config: Path) -> bool:
    """Whether it is missing, empty, or just as an earlier version wrote it."""
    content = config.read_bytes() if config.exists() else b""
    return not content or hashlib.sha256(content).hexdigest() in SHIPPED[:-1]


def write_ours(config: Path) -> None:
    """Puts ours where one must be written; a full disk leaves no part of it."""
    if not must_be_written(config):
        return
    part = config.with_name(f".{config.name}.{os.getpid()}")
    try:
        shutil.copyfile(OURS, part)
        part.replace(config)
    finally:
        part.unlink(missing_ok=True)


def describe_instance(config: Path) -> str:
    """In words whether it is ours, and what a changed one lacks."""
    import yaml

    if must_be_written(config):
        return "is written by the next command"
    try:
        own: Any = yaml.safe_load(config.read_bytes())
    except (ValueError, yaml.YAMLError):
        own = None
    if not is_table(own):
        return "cannot be read. Correct it, or move it away: ds3d then writes its own"
    lacking = [table for table in yaml.safe_load(OURS.read_bytes()) if table not in own]
    if lacking:
        return f"lacks {', '.join(lacking)}, which this version has. Move it away: ds3d then writes its own"
    return "has all settings of this version"
