"""The desk: every input is checked, hashed and registered here, whichever way it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.capture.content import examine
from ds3d_pipeline.capture.inputs import Inputs, capture_id, find_inputs
from ds3d_pipeline.capture.names import NAME_RULE, is_name, printable
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError, UnreadableError
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.programs.faults import explain
from ds3d_pipeline.storage.home import Home, find_home, prepare_home
from ds3d_pipeline.storage.registrations import (
    Content,
    Request,
    check_readable,
    has_whole_registration,
    is_registered,
    register_upload,
    registered_as,
    registered_request,
)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Usable input that belongs to no capture yet."""

    paths: tuple[Path, ...]
    """What the user passed."""
    inputs: Inputs
    content: Content

    @property
    def own_key(self) -> str:
        """The capture's key unless another is chosen."""
        return capture_id(self.inputs, self.content.sha256)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A registered capture, and what its files were when they were checked."""

    capture: str
    content: Content


def accept(paths: Sequence[Path], options: CaptureOptions, name: str | None = None) -> Accepted:
    """Checks, hashes and registers the input; raises InputError before it is registered."""
    checked = check(paths, options)
    home = prepare_home()
    capture = checked.own_key if name is None else _checked_name(home, name)
    register_upload(home, capture, checked.paths, checked.content)
    return Accepted(capture=capture, content=checked.content)


def _checked_name(home: Home, name: str) -> str:
    """The name; one that an earlier version accepted stays. Raises InputError where it names no capture."""
    if is_name(name) or is_registered(home, name):
        return name
    raise InputError(f"{name!r} cannot name a capture.", NAME_RULE)


def accept_request(request: RunRequest, name: str | None = None) -> RunRequest:
    """The same request about the capture that its `inputs` are now registered as; raises as `accept`."""
    accepted = accept([Path(text) for text in request.inputs], request.options("capture"), name)
    return dataclasses.replace(request, capture=accepted.capture, inputs=())


def check(paths: Sequence[Path], options: CaptureOptions) -> Checked:
    """The first half of `accept`: every file is opened and read once.

    Nothing is written but the photos of a zip, one after the other, in the home, which is made for that.
    Raises UnreadableError for what cannot be read at present and IncompleteError for what breaks off.
    """
    home = find_home()
    for path in paths:
        check_readable(path)
    inputs = find_inputs(paths)
    try:
        content = examine(inputs, options, prepare_home().work if inputs.is_zip else None)
    except OSError as error:
        raise _unreadable(error, printable(paths[0].name), home) from error
    return Checked(paths=tuple(paths), inputs=inputs, content=content)


def _unreadable(error: OSError, name: str, home: Home) -> UnreadableError:
    known = explain(error, [home.root])
    if known is None:
        return UnreadableError(f"{name} cannot be read: {error.strerror or error}.", "Check its disk.")
    return UnreadableError(f"{name} cannot be checked: {known.cause}", known.remedy)


def accept_content(home: Home, checked: Checked) -> Accepted:
    """The second half, for uploads without a name: content that was registered before stays that capture."""
    capture = registered_as(home, checked.content.sha256) or checked.own_key
    is_whole = has_whole_registration(home, capture)
    if not is_whole or not _is_as_registered(registered_request(home, capture), checked.content):
        register_upload(home, capture, checked.paths, checked.content)
    return Accepted(capture=capture, content=checked.content)


def find_accepted(home: Home, sha256: str, options: CaptureOptions) -> Accepted | None:
    """The capture of this content, if it was checked with these bounds and its files lie there unchanged."""
    capture = registered_as(home, sha256) if sha256 else None
    request = registered_request(home, capture) if capture else None
    content = request.content if request else None
    if capture is None or content is None or content.bounds != dataclasses.asdict(options):
        return None
    return Accepted(capture=capture, content=content) if _is_as_registered(request, content) else None


def _is_as_registered(request: Request | None, content: Content) -> bool:
    """Whether the files of a registration lie there as they were when they were checked."""
    if request is None or request.content is None or request.content.bounds != content.bounds:
        return False
    try:
        inputs = find_inputs(request.paths)
        now = [path.stat() for path in inputs.files]
    except (InputError, OSError):
        return False
    files = request.content.files
    if inputs.is_zip:
        return now[0].st_mtime_ns == files[0].mtime_ns
    before = [(file.name, file.mtime_ns) for file in files]
    return before == [(name, stat.st_mtime_ns) for name, stat in zip(inputs.names, now, strict=True)]
