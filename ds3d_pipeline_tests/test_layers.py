"""The layers of `docs/architecture.md`: imports point downward, and only the ways in know Dagster."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import ds3d_pipeline

PACKAGE = Path(ds3d_pipeline.__file__).parent
PAGE = PACKAGE.parent / "docs" / "architecture.md"
ROOT_FILES = {"__init__", "__main__", "api", "definitions", "errors", "names", "scene"}
KNOW_DAGSTER = {"defs", "definitions", "cli"}
SERVERS = {"web/daemons.py", "web/jobs.py", "web/runs.py", "web/services.py"}
"""The files of the upload page that know it, too."""


def layers() -> list[list[str]]:
    """The rooms of every row of the page's table, the top row first."""
    table = PAGE.read_text(encoding="utf-8").split("## The layers")[1].split("\n## ")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("|")][2:]
    return [[name.removesuffix(".py") for name in re.findall(r"`([a-z_]+(?:\.py)?)/?`", row)] for row in rows]


RANKS = {room: -number for number, row in enumerate(layers()) for room in row}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "ds3d_pipeline"
            found |= {f"{node.module}.{name.name}" for name in node.names} if whole else {node.module}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def arrows() -> dict[tuple[str, str], list[str]]:
    """The files behind every arrow from room to room."""
    found = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE)
        room = inside.parts[0].removesuffix(".py")
        for module in imported(path):
            if module.split(".")[0] == "ds3d_pipeline" and room_of(module) not in (room, "__version__"):
                found[room, room_of(module)].append(inside.as_posix())
    return found


def test_every_room_has_its_layer():
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert rooms - {"__init__", "__main__", "__pycache__"} == RANKS.keys()


def test_no_arrow_points_up():
    up = {arrow: files for arrow, files in arrows().items() if RANKS[arrow[1]] > RANKS.get(arrow[0], 1)}
    assert up == {}


def test_rooms_form_no_circle():
    reads = defaultdict(set)
    for room, other in arrows():
        reads[room].add(other)
    left = set(RANKS)
    while free := {room for room in left if not reads[room] & left}:
        left -= free
    assert left == set()


def test_the_root_is_small():
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_FILES


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_only_the_ways_in_know_dagster(path):
    inside = path.relative_to(PACKAGE)
    room = inside.parts[0].removesuffix(".py")
    knows = {module.split(".")[0] for module in imported(path)} & {"dagster", "dagster_docker"}
    assert not knows or room in KNOW_DAGSTER or inside.as_posix() in SERVERS
