"""The uploads that a home knows: what a capture's key stands for, so that every route can materialise it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home

_KEY = re.compile(r"[a-z0-9._-]{1,57}")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """The content that a request stood for when it was registered."""

    sha256: str


def check_capture_key(key: str) -> str:
    """The key itself; raises InputError where it could not be a folder's name everywhere."""
    if not _KEY.fullmatch(key) or not key.strip(".") or key.startswith("-"):
        raise InputError(
            f"{key!r} cannot name a capture.",
            "Use 1 to 48 of a-z 0-9 . _ - and start with a letter or digit.",
        )
    return key


def check_readable(path: Path) -> None:
    """Raises InputError for a name that could not be written down."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path!r} is not a readable name.", "Rename the file in UTF-8.") from error


def upload_files(home: Home, capture: str) -> dict[str, Path]:
    """The registered files of one capture; raises InputError where it was never registered."""
    folder = home.registered / check_capture_key(capture)
    files = {name: folder / name for name in ("request.json", "upload.json")}
    if not all(path.exists() for path in files.values()):
        raise InputError(
            f"Nothing is registered for the capture {capture!r}.",
            "Run `ds3d reconstruct` with its files, or set `inputs` in the config of the asset `capture`.",
        )
    return files


def registered_as(home: Home, sha256: str) -> str | None:
    """The capture that stands for this content, where one was registered; the first by name of several."""
    for path in sorted(home.registered.glob("*/upload.json")):
        if read_json(path, Upload).sha256 == sha256:
            return path.parent.name
    return None


def registered_inputs(home: Home, capture: str) -> list[Path]:
    """The paths that a capture was registered with; none where it never was."""
    path = home.registered / check_capture_key(capture) / "request.json"
    return [Path(name) for name in read_json(path, Request).inputs] if path.exists() else []


def has_its_files(home: Home, capture: str) -> bool:
    """Whether a capture is registered and what it was registered with still lies where it lay."""
    inputs = registered_inputs(home, capture)
    return bool(inputs) and all(path.exists() for path in inputs)


def register_upload(home: Home, capture: str, inputs: Sequence[Path], sha256: str) -> None:
    """Remembers which files a capture is made of. Nothing is copied yet: the stage does that."""
    folder = home.registered / check_capture_key(capture)
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(str(path.absolute()) for path in inputs)
    write_json(folder / "request.json", Request(inputs=paths))
    write_json(folder / "upload.json", Upload(sha256=sha256))


@dataclass(frozen=True, kw_only=True)
class Request:
    """`request.json` of the capture stage: absolute paths of what the user passed."""

    inputs: tuple[str, ...]
    name: str | None = None
