"""`ds3d completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from typing import Any

from ds3d_pipeline.errors import StageError


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script of a shell. Raises StageError where shtab, which writes it, is not installed."""
    if importlib.util.find_spec("shtab") is None:
        raise StageError("shtab is not installed.", "Install it: `pip install shtab`.")
    shtab: Any = importlib.import_module("shtab")
    return shtab.complete(parser, shell=shell)
