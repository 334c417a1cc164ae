"""Numbers as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: float) -> str:
    """`12,345`."""
    return f"{number:,.0f}"


def plural(number: int, word: str) -> str:
    """`1 photo`, `12 photos`."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def size(number_of_bytes: float) -> str:
    """`812 B`, `3.4 kB`, `12.0 MB`."""
    value, unit = float(number_of_bytes), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 20 s`, `1 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def about(seconds: float) -> str:
    """A time that nobody knows exactly: `about 5 s`, `about 40 s`, `about 9 minutes`, `about 2 h 10 min`."""
    if seconds < 55:
        return f"about {max(5 * round(seconds / 5), 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {plural(minutes, 'minute')}"
    return f"about {duration(300 * round(seconds / 300))}"


def listing(names: Sequence[str], most: int = 4) -> str:
    """`a, b and 3 more`."""
    shown, rest = list(names[:most]), len(names) - most
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def clipped(text: str, most: int = 700) -> str:
    """The text, cut where a program said far too much."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
