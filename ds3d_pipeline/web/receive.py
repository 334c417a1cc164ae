"""Forms with files, written to disk part by part as they come in: never in memory, never twice.

Not FastAPI's `UploadFile`: it writes a whole body into the folder for temporary files before anybody may
refuse it, and then everything is copied.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.registrations import is_registered
from ds3d_pipeline.web.bodies import check_fits, chunks, declared_bytes
from ds3d_pipeline.web.file_names import safe_name
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.settings import Limits

PART_SUFFIX = ".part"
RESUMABLE_SUFFIX = ".tus"
FIELDS = ("mode", "name")


@dataclass(kw_only=True)
class Received:
    """The parts of a form."""

    files: list[Path] = field(default_factory=list[Path])
    fields: dict[str, str] = field(default_factory=dict[str, str])


@asynccontextmanager
async def received_form(request: Request, folder: Path, limits: Limits) -> AsyncIterator[Received]:
    """The form of a request, its files in the new `folder`, which is removed if it is still there at the end.

    Raises Problem for what is no form, beyond a limit, with unknown fields, and where it breaks off.
    """
    boundary = _boundary(request)
    check_fits(declared_bytes(request) or 0, folder.parent, limits)
    folder.mkdir()
    try:
        yield await _receive(request, boundary, folder, limits)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_halves(home: Home, folder: Path) -> None:
    """Removes what a killed server was receiving, and what it received for captures that are no more."""
    for place in folder.iterdir():
        is_half = place.suffix == PART_SUFFIX
        is_of_nobody = place.suffix != RESUMABLE_SUFFIX and not is_registered(home, place.name)
        if is_half or is_of_nobody:
            shutil.rmtree(place)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Problem(415, "The body is no multipart/form-data.", "Send a form with the field `files`.")
    return options[b"boundary"]


async def _receive(request: Request, boundary: bytes, folder: Path, limits: Limits) -> Received:
    parts = _Parts(folder, limits)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for chunk in chunks(request, limits, folder):
            await anyio.to_thread.run_sync(parser.write, chunk)
        if not parts.ended:
            raise Problem(400, "The upload broke off.", "Send it again.")
    except FormParserError as error:
        raise Problem(400, f"The form cannot be read: {error}.", "Send it again.") from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise Problem(
            507, "The server's disk is full.", "Free some space there, then send it again."
        ) from error
    finally:
        parts.close()
    return parts.received


class _Parts:
    """What the parser calls: one part at a time, a file straight into `folder`."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.received = Received()
        self.ended = False
        self._folder, self._limits = folder, limits
        self._taken: set[str] = set()
        self._headers: dict[bytes, bytes] = {}
        self._key = self._value = self._text = b""
        self._name = ""
        self._file: BinaryIO | None = None

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_key,
            "on_header_value": self._header_value,
            "on_header_end": self._header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def close(self) -> None:
        """Of a part that broke off."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._headers, self._key, self._value = {}, b"", b""

    def _header_key(self, data: bytes, start: int, end: int) -> None:
        self._key += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._key.lower()] = self._value
        self._key, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._text = b""
        file_name = options.get(b"filename")
        if file_name is None:
            self._check_field()
        else:
            self._open_file(file_name.decode("utf-8", "replace"))

    def _check_field(self) -> None:
        if self._name not in FIELDS:
            raise Problem(422, f"There is no field {self._name!r}.", "Send `files`, `mode` and `name`.")
        if self._name in self.received.fields:
            raise Problem(422, f"The field {self._name!r} is there twice.", "Send it once.")

    def _open_file(self, file_name: str) -> None:
        if self._name != "files":
            raise Problem(422, f"There is no field {self._name!r} for files.", "Call it `files`.")
        if len(self.received.files) >= self._limits.max_files:
            cause = f"The upload has more than the {self._limits.max_files} files that are taken."
            raise Problem(413, cause, "Send fewer photos.")
        path = self._folder / safe_name(file_name, self._taken)
        self._file = path.open("xb")
        self.received.files.append(path)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > self._limits.max_field_bytes:
            raise Problem(413, f"The field {self._name!r} is too long.", "Files go into the field `files`.")

    def _end(self) -> None:
        if self._file is None:
            self.received.fields[self._name] = self._text.decode("utf-8", "replace")
            return
        self._file.close()
        self._file = None

    def _finish(self) -> None:
        self.ended = True
