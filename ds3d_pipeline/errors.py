"""Errors that a person reads: one cause, one next step."""


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
