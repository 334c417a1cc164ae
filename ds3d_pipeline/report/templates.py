"""What both pages are made with: their templates, and the files that they share with the server's page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = Path(__file__).parents[1] / "web" / "page"
"""The server's page: its colours and what draws 3D are those of the pages that are kept."""


def page_environment() -> Environment:
    """Templates of this room and of `PAGE`; all text is escaped, and a missing value is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([Path(__file__).parent, PAGE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
