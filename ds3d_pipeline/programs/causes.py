"""Why a program ended, read from its log: never just the last line, which may be anything."""

from __future__ import annotations

TRACEBACK = "Traceback (most recent call last):"
END_LINES = 15
"""A program that prints no traceback says why it ends within its last lines."""
LONGEST = 300
MEMORY = "There was not enough memory: close other programs, or choose a smaller mode."

GPU: tuple[tuple[str, str], ...] = (
    ("cuda out of memory", "The GPU's memory is full: end other programs on it, or choose a smaller mode."),
    (
        "driver version is insufficient",
        "The NVIDIA driver is too old for the installed CUDA: update the driver, or install an older CUDA.",
    ),
    (
        "driver/library version mismatch",
        "The NVIDIA driver was updated while it was in use: restart this machine.",
    ),
    (
        "no kernel image is available for execution on the device",
        "The program was not built for this GPU: build it with its CUDA architecture, or use a backend "
        "without GPU.",
    ),
)
KNOWN = (
    *GPU,
    ("memoryerror", MEMORY),
    ("std::bad_alloc", MEMORY),
    ("cannot allocate memory", MEMORY),
    ("unable to allocate", MEMORY),
    ("insufficient memory", MEMORY),
    ("no space left on device", "The disk is full: free some space, then run the same command again."),
    ("disk quota exceeded", "Your disk quota is used up: free some space, then run the same command again."),
    ("read-only file system", "The disk is read-only: choose another folder, or mount it for writing."),
    ("permission denied", "Permission denied: change the permissions, or choose another folder."),
    ("too many open files", "Too many files are open: raise the limit with `ulimit -n 4096`."),
)
"""Parts of what programs say, in lower case, and what they mean."""


def cause_in(log: str) -> str | None:
    """Why the program that wrote this log ended, in one sentence; None where the log does not say.

    That is a known message, or else the line of the last traceback that names the exception.
    """
    error = _exception_lines(log.splitlines())
    if (known := known_in(log)) or not error:
        return known
    text = error[0].strip()[:LONGEST]
    return text if text.endswith((".", "!")) else f"{text}."


def known_in(log: str) -> str | None:
    """What a known message at the end of the log means; None without one."""
    lines = log.splitlines()
    end = "\n".join(_exception_lines(lines) or lines[-END_LINES:]).lower()
    return next((meaning for part, meaning in KNOWN if part in end), None)


def _exception_lines(lines: list[str]) -> list[str]:
    """From the line that names the exception of the last traceback to the end; none without a traceback."""
    starts = [number for number, line in enumerate(lines) if line.strip() == TRACEBACK]
    if not starts:
        return []
    after = range(starts[-1] + 1, len(lines))
    start = next((number for number in after if lines[number][:1].strip()), len(lines))
    return lines[start:]
