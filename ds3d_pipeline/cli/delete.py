"""`ds3d delete`: shows what is kept of one capture, and removes it on demand."""

from __future__ import annotations

from ds3d_pipeline.cli.output import console
from ds3d_pipeline.programs.words import plural, size
from ds3d_pipeline.storage.delete import Holdings
from ds3d_pipeline.storage.home import prepare_home


def delete(capture: str, *, keep_outputs: bool, really: bool) -> None:
    """Prints what goes and what stays; removes it only `really`."""
    from ds3d_pipeline.defs.deleting import delete_capture, look_at_capture

    act = delete_capture if really else look_at_capture
    holdings = act(prepare_home(), capture, keep_outputs=keep_outputs)
    screen = console()
    for line in _lines(capture, holdings, keep_outputs=keep_outputs, really=really):
        screen.print(line)


def _lines(capture: str, holdings: Holdings, *, keep_outputs: bool, really: bool) -> list[str]:
    verb = "Deleted" if really else "Would delete"
    lines = [f"{verb} {capture}: {size(holdings.bytes)} in {plural(len(holdings.places), 'folder')}."]
    lines += [f"{verb} the result in {folder}." for folder in holdings.outputs]
    lines += [f"{path} is not a file of ds3d and stays." for path in holdings.foreign]
    if not really:
        option = " --keep-outputs" if keep_outputs else ""
        lines.append(f"`ds3d delete {capture}{option} --yes` deletes it.")
    return lines
