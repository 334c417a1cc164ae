"""The rows of `rows.toml`, and which tests hold them."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("rows.toml")
_TESTS = Path(__file__).parents[1]
_MARK = re.compile(r"mark\.fault\(([^()]*)\)")
_NAME = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault, as it was tried, and what a user sees now; its name is in the marks of its tests."""

    name: str
    section: str
    fault: str
    seen: str


ROWS = {name: Row(name=name, **row) for name, row in tomllib.loads(TABLE.read_text("utf-8")).items()}


def marked_names() -> set[str]:
    """Every name in a mark of any test, of whatever tier, found in their text."""
    texts = (path.read_text("utf-8") for path in _TESTS.rglob("test_*.py"))
    return {name for text in texts for mark in _MARK.findall(text) for name in _NAME.findall(mark)}
