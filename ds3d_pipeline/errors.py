"""Errors that a person reads: one cause, one next step."""

from collections.abc import Iterable


class StageError(Exception):
    """A stage cannot produce its artifact. `cause` says why in one sentence, `remedy` what to do next."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause} {remedy}")
        self.cause = cause
        self.remedy = remedy


class InputError(StageError):
    """The user's input or arguments are unusable: no retry and no other backend can help (exit code 2)."""


class UnreadableError(InputError):
    """The input cannot be read at present (permissions, a full disk, a failing drive); it may be good."""


class IncompleteError(InputError):
    """The input breaks off or is not written yet: it may be the beginning of a good file."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the known word that is most like a mistyped one, and a space; empty if none is."""
    # Of the standard library, but not needed to start.
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1, cutoff=0.75)
    return f"Did you mean {found[0]}? " if found else ""
