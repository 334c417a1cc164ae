"""The tables of stages, backends and gates as Markdown, written from the cards.

`python -m ds3d_pipeline.stages.documentation > docs/backends.md` renews the page; a test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from ds3d_pipeline.programs.rungs import Rung
from ds3d_pipeline.stages.table import STAGE_CARDS, ladders

_PAGE = """# Stages, backends and gates

Made from the cards in `ds3d_pipeline/stages/` by `python -m ds3d_pipeline.stages.documentation`: change a
card, not this page.

## Stages

{stages}

## Backends

Best first. A stage takes the first that can run on this machine, and the next one where that fails. What an
artifact lacks because of its backend makes the capture `degraded`. `--prefer STAGE=BACKEND` puts one first.

{backends}

## Quality gates

A gate that is missed makes the capture `degraded`; one that is blocking stops the run.

{gates}
"""


def page() -> str:
    """The whole of `docs/backends.md`."""
    return _PAGE.format(stages=stages_table(), backends=backends_table(), gates=gates_table())


def stages_table() -> str:
    """What every stage makes, and of what."""
    return _table(
        ("stage", "makes", "reads"),
        (
            (f"`{card.name}`", card.about, ", ".join(f"`{name}`" for name in card.reads) or "the upload")
            for card in STAGE_CARDS.values()
        ),
    )


def backends_table() -> str:
    """Every rung of every ladder, best first, and where it runs."""
    return _table(
        ("stage", "backend", "what it is", "runs in"),
        (
            (
                f"`{card.name}`",
                f"`{rung.name}`",
                rung.summary,
                "a container" if rung.is_boxed else "a process",
            )
            for card in ladders().values()
            for rung in card.rungs
        ),
    )


def _place(rung: Rung) -> str:
    return "a container" if rung.is_boxed else "a process"


def gates_table() -> str:
    """What every stage's numbers must keep."""
    return _table(
        ("stage", "gate", "what it asks", "blocking"),
        (
            (f"`{card.name}`", f"`{gate.name}`", gate.about, "yes" if gate.blocking else "no")
            for card in STAGE_CARDS.values()
            for gate in card.gates
        ),
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
