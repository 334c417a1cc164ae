"""The uploads that a home knows: what a capture's key means, so that every route can materialise it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.scene import CaptureKind
from ds3d_pipeline.storage.home import Home

T = TypeVar("T")
log = logging.getLogger(__name__)

_KEY = re.compile(r"[a-z0-9._-]{1,57}")
_REQUEST, _UPLOAD = "request.json", "upload.json"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """The content that a request stood for when it was registered."""

    sha256: str


@dataclass(frozen=True, kw_only=True)
class ContentFile:
    """One file as it was when it was checked; of a zip, one photo in it."""

    name: str
    """How the user knows it."""
    bytes: int
    mtime_ns: int
    """Of the file on disk; of a photo in a zip, the zip's."""
    sha256: str
    left_out: str = ""
    """Why it is no part of the capture, one sentence; empty where it is."""
    cut_off: str = ""
    """How much of it is missing, one sentence; empty where it is whole."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a capture was made of when it was checked: every file that was found, in order."""

    kind: CaptureKind
    files: tuple[ContentFile, ...]
    sha256: str
    """Over the usable files, whatever their names and order."""
    bounds: dict[str, Any]
    """The options that it was checked with: what other bounds accept has to be checked again."""
    unused: tuple[str, ...] = ()
    """What was left out by its name, one sentence for each kind of file."""

    @property
    def usable(self) -> tuple[ContentFile, ...]:
        return tuple(file for file in self.files if not file.left_out)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Why files were left out, one sentence each, naming the file or some of its kind."""
        return (*(file.left_out for file in self.files if file.left_out), *self.unused)

    @property
    def cut_off(self) -> tuple[str, ...]:
        """What is missing of usable files, one sentence each, naming the file."""
        return tuple(file.cut_off for file in self.usable if file.cut_off)

    @property
    def bytes(self) -> int:
        """Of the usable files."""
        return sum(file.bytes for file in self.usable)


@dataclass(frozen=True, kw_only=True)
class Request:
    """`request.json` of the capture stage: absolute paths of what the user passed, and what was in them."""

    inputs: tuple[str, ...]
    content: Content | None = None
    """None in the registrations of earlier versions."""

    @property
    def paths(self) -> list[Path]:
        return [Path(name) for name in self.inputs]


def check_capture_key(key: str) -> str:
    """The key itself; raises InputError where no version ever named a capture so.

    What may name a new one is `capture.names.is_name`.
    """
    if not _may_be_key(key):
        raise InputError(
            f"{key!r} cannot name a capture.",
            "`ds3d list` shows the names of all captures.",
        )
    return key


def _may_be_key(text: str) -> bool:
    return bool(_KEY.fullmatch(text)) and bool(text.strip(".")) and not text.startswith("-")


def check_readable(path: Path) -> None:
    """Raises InputError for a name that could not be written down."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{path!r} is not a readable name.", "Rename the file in UTF-8.") from error


def upload_files(home: Home, capture: str) -> dict[str, Path]:
    """The registered files of one capture; raises InputError where it was never registered."""
    folder = home.registered / check_capture_key(capture)
    files = {name: folder / name for name in (_REQUEST, _UPLOAD)}
    if not all(path.exists() for path in files.values()):
        raise InputError(
            f"Nothing is registered for the capture {capture!r}.",
            "Run `ds3d reconstruct` with its files, or set `inputs` in the config of the asset `capture`.",
        )
    return files


def is_registered(home: Home, capture: str) -> bool:
    """Whether the home holds a registration of this capture, readable or not; never of what is no key."""
    return _may_be_key(capture) and (home.registered / capture / _REQUEST).exists()


def registered_as(home: Home, sha256: str) -> str | None:
    """The capture registered for this content; the first by name of several."""
    for path in sorted(home.registered.glob(f"*/{_UPLOAD}")):
        upload = _read_or_none(path, Upload)
        if upload and upload.sha256 == sha256:
            return path.parent.name
    return None


def damaged_registrations(home: Home) -> list[Path]:
    """The records that cannot be read, or are missing because a full disk or a kill cut a registration off.

    Their captures count as not registered, until their files are accepted again.
    """
    return sorted(path for folder in home.registered.glob("*") for path in _damaged_in(folder))


def _damaged_in(folder: Path) -> list[Path]:
    records = ((folder / _UPLOAD, Upload), (folder / _REQUEST, Request))
    found = [path for path, kind in records if _read_or_none(path, kind) is None]
    return found if folder.is_dir() else []


def has_whole_registration(home: Home, capture: str) -> bool:
    """Whether both records of it are there and can be read."""
    folder = home.registered / check_capture_key(capture)
    return folder.is_dir() and not _damaged_in(folder)


def _read_or_none(path: Path, record_type: type[T]) -> T | None:
    """None where the record is damaged or was removed meanwhile."""
    try:
        return read_json(path, record_type)
    except (FileNotFoundError, ValueError):
        log.warning("%s cannot be read", path)
        return None


def registered_request(home: Home, capture: str) -> Request | None:
    """What a capture was registered with; None where it never was, or where the record is damaged."""
    path = home.registered / check_capture_key(capture) / _REQUEST
    return _read_or_none(path, Request) if path.exists() else None


def content_versions(files: Mapping[str, Path]) -> dict[str, str]:
    """The hashes of `files` that the stage depends on which reads them, by the names given here.

    What a registration with a recorded content holds beside the digest of it, paths and times, is no reason
    to stage a capture again.
    """
    request = read_json(files[_REQUEST], Request) if _REQUEST in files else None
    names = [_UPLOAD] if request and request.content else list(files)
    return {name: file_sha256(files[name]) for name in names}


def register_upload(home: Home, capture: str, inputs: Sequence[Path], content: Content) -> None:
    """Remembers which files a capture is made of. Nothing is copied yet: the stage does that."""
    folder = home.registered / check_capture_key(capture)
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(str(path.absolute()) for path in inputs)
    write_json(folder / _REQUEST, Request(inputs=paths, content=content), durable=True)
    write_json(folder / _UPLOAD, Upload(sha256=content.sha256), durable=True)
