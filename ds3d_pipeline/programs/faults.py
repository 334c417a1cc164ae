"""Errors of the machine in words: disk, permissions, memory, limits and damaged databases.

Errors come wrapped (SQLAlchemy around SQLite, Dagster around both), so the whole chain of causes is searched.
What this module does not know is a bug, and is reported as one by whoever asks.
"""

from __future__ import annotations

import errno
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ds3d_pipeline.errors import InputError, StageError

FULL_BYTES = 2_000_000
"""A disk with less than this free is full: SQLite and Dagster need about as much for one more run."""
AGAIN = "Free some space, then run the same command again."
_PERMISSION = "Change its permissions, or choose another folder."

KNOWN: dict[int, tuple[str, str]] = {
    errno.EROFS: ("{path} is on a read-only file system.", "Choose another folder, or mount it for writing."),
    errno.EACCES: ("Permission denied: {path}.", _PERMISSION),
    errno.EPERM: ("Permission denied: {path}.", _PERMISSION),
    errno.EDQUOT: ("Your disk quota is used up: {path} cannot be written.", AGAIN),
    errno.EFBIG: (
        "{path} would become larger than the system allows.",
        "Raise the limit with `ulimit -f unlimited`, or choose a disk that allows larger files.",
    ),
    errno.EMFILE: ("Too many files are open.", "Raise the limit with `ulimit -n 4096`."),
    errno.ENFILE: ("Too many files are open on this machine.", "Close other programs."),
    errno.ENAMETOOLONG: ("The name {path} is too long.", "Use shorter names of files and folders."),
    errno.ENOTDIR: ("{path} needs a folder where there is a file.", "Choose another folder."),
    errno.EEXIST: ("{path} already exists and is a file.", "Choose another folder, or move that file away."),
    errno.EISDIR: ("{path} is a folder where a file is needed.", "Move that folder away."),
    errno.ELOOP: ("{path} is a link that leads back to itself.", "Delete or correct the link."),
    errno.EIO: ("{path} cannot be read or written: the disk reports an error.", "Check that disk."),
    errno.ESTALE: ("The network folder of {path} is no longer there.", "Connect it again."),
    errno.ENOTCONN: ("The network folder of {path} is not connected.", "Connect it again."),
    errno.ENOMEM: ("There is not enough memory.", "Close other programs, or choose a smaller mode."),
    errno.EADDRINUSE: ("A port that ds3d needs is in use.", "End the program that uses it."),
}
"""Cause and remedy of an error number of the system."""

STOPPING = {errno.ENOSPC, *KNOWN} - {errno.ENOMEM}
"""With these no other backend can do better."""


def explain(error: BaseException, places: Sequence[Path] = ()) -> StageError | None:
    """Cause and remedy of an error that is the machine's or the user's; None where it is neither.

    `places` are the folders that were being written to, to find the full disk among.
    """
    for below in chain(error):
        if known := _explain_one(below, places):
            return known
    return None


def in_words(error: BaseException, places: Sequence[Path] = ()) -> str:
    """Cause and remedy where they are known, else what the error itself says."""
    return str(explain(error, places) or error)


def stops_all(error: BaseException) -> bool:
    """Whether the machine is in a state in which no other backend can succeed either, as with a full disk."""
    system = [below for below in chain(error) if isinstance(below, OSError)]
    return any(below.errno in STOPPING or _is_full(below) for below in system)


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on; each once.

    What merely happened before, while another error was handled, is no cause.
    """
    seen: set[int] = set()
    below: BaseException | None = error
    while below is not None and id(below) not in seen:
        seen.add(id(below))
        yield below
        below = below.__cause__


def _explain_one(error: BaseException, places: Sequence[Path]) -> StageError | None:
    match error:
        case StageError():
            return error
        case OSError():
            return _explain_system(error, places)
        case sqlite3.Error():
            return _explain_database(error, places)
        case MemoryError():
            return StageError(*KNOWN[errno.ENOMEM])
        case RecursionError():
            return InputError("What was given is nested too deeply.", "Write it with fewer levels.")
        case UnicodeEncodeError():
            name = ascii(error.object[:200])
            return InputError(f"The name {name} is not valid text.", "Rename that file or folder.")
        case _:
            return None


def _is_full(error: OSError) -> bool:
    """Whether a disk was full; numpy's `tofile` says so without a number."""
    return (
        error.errno == errno.ENOSPC or re.fullmatch(r"\d+ requested and \d+ written", str(error)) is not None
    )


def _explain_system(error: OSError, places: Sequence[Path]) -> StageError | None:
    if _is_full(error):
        return disk_full([Path(_text(error.filename)), *places] if error.filename else places)
    if error.errno == errno.ENOENT and "temporary directory" in str(error.strerror):
        return StageError(
            "No folder for temporary files can be written to.",
            "Free some space in /tmp, or set TMPDIR to a folder on another disk.",
        )
    if error.errno == errno.ENOENT and error.filename is None:
        return StageError("The current folder no longer exists.", "Change to another folder with `cd`.")
    known = KNOWN.get(error.errno or 0)
    if known is None:
        return None
    path = _text(error.filename) if error.filename else "a file"
    return StageError(known[0].format(path=path), known[1])


def disk_full(places: Sequence[Path]) -> StageError:
    """The full disk among those of `places` and the folder for temporary files, by the folder on it."""
    full = find_full(places)
    if full is None:
        return StageError("The disk is full.", AGAIN)
    remedy = f"{AGAIN[:-1]}, or set TMPDIR to a folder on another disk." if full == _temporary() else AGAIN
    return StageError(f"The disk is full: there is no space left in {full}.", remedy)


def find_full(places: Sequence[Path]) -> Path | None:
    """The first of the folders, that for temporary files included, whose disk has hardly a byte left."""
    for place in (*places, _temporary()):
        existing = next((p for p in (place, *place.absolute().parents) if p.is_dir()), None)
        if existing is not None and shutil.disk_usage(existing).free < FULL_BYTES:
            return existing
    return None


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        # Python looks for a folder that can be written to, and found none.
        return Path("/tmp")


def _explain_database(error: sqlite3.Error, places: Sequence[Path]) -> StageError | None:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL") or (
        name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _full(places)
    ):
        return disk_full(places)
    where = places[0] if places else Path("history")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return StageError(
            f"The record of runs in {where / 'history'} is damaged.",
            "Move that folder away: captures and their files stay, only the list of earlier runs is lost.",
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_IOERR")):
        return StageError(
            f"The record of runs in {where / 'history'} cannot be opened for writing ({error}).",
            "Check the permissions of that folder, its disk, and `ulimit -f`.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StageError(
            f"The record of runs in {where / 'history'} is in use by another program.",
            "Wait until other runs have ended, then run the same command again.",
        )
    return None


def _full(places: Sequence[Path]) -> bool:
    return find_full(places) is not None


def _text(name: object) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
