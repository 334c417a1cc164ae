"""Where ds3d keeps what it knows: the Dagster home, stored bundles, work in progress and logs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.locks import locked
from ds3d_pipeline.programs.settings import read_folder, read_text
from ds3d_pipeline.storage.instance_file import must_be_written, write_ours


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folders of one installation; `storage` may be any universal_pathlib URL."""

    root: Path
    storage: str

    @property
    def work(self) -> Path:
        """Scratch folders of running stages; on one disk with a local storage publishing is a rename."""
        return self.root / "work"

    @property
    def registered(self) -> Path:
        """What every known capture is made of, one folder a capture."""
        return self.root / "registered"

    @property
    def received(self) -> Path:
        """What was sent to the page's server for captures; nothing in it is changed."""
        return self.root / "received"

    @property
    def config(self) -> Path:
        """What the instance of Dagster is made of."""
        return self.root / "dagster.yaml"

    @property
    def locks(self) -> Path:
        """Lock files, which processes of this home hold one at a time."""
        return self.root / "locks"

    @property
    def tables_mark(self) -> Path:
        """Is there once Dagster has made its tables in this home."""
        return self.locks / "instance_made"

    @property
    def logs(self) -> Path:
        """Logs of every program that ran, one folder a run. Folders alone.

        A file directly in there Dagster's daemon and web server take for one of their telemetry:
        they move the whole folder away and send the file to their makers, even where telemetry is off.
        """
        return self.root / "logs"


def find_home() -> Home:
    """`DAGSTER_HOME`, else the user's data folder; `DS3D_STORAGE` moves the bundles elsewhere."""
    root = read_folder("DAGSTER_HOME") or _user_data_folder()
    return Home(root=root, storage=read_text("DS3D_STORAGE") or str(root / "storage"))


def outputs_folder(home: Home) -> Path:
    """Where captures of the watched folder go: `DS3D_OUTPUTS`, else `outputs/` of the home."""
    return read_folder("DS3D_OUTPUTS") or home.root / "outputs"


def prepare_home() -> Home:
    """`find_home`, made where it does not exist, with our `dagster.yaml` where there is none.

    One that an earlier version put there and nobody changed since is renewed.
    """
    home = find_home()
    is_made = all(path.exists() for path in (home.work, home.logs, home.registered))
    if not is_made or must_be_written(home.config):
        with locked(home.locks / "first_start"):
            _make(home)
    _check_storage(home.storage)
    os.environ["DAGSTER_HOME"] = str(home.root)
    return home


def _make(home: Home) -> None:
    for folder in (home.work, home.logs):
        folder.mkdir(parents=True, exist_ok=True)
    if not home.registered.exists():
        _adopt_registrations(home)
    write_ours(home.config)


def _check_storage(storage: str) -> None:
    """Raises InputError for the URL of a storage that cannot be opened from here."""
    if "://" not in storage:
        return
    from upath import UPath

    try:
        _ = UPath(storage).fs
    except (ValueError, ImportError) as error:
        kinds = "Use a folder, or install the package for that kind of URL, such as s3fs for s3://"
        raise InputError(
            f"DS3D_STORAGE is {storage!r}, which cannot be used: {error}.", f"{kinds}."
        ) from error


def _adopt_registrations(home: Home) -> None:
    """In homes made before there was a watched folder they are in what is that folder now."""
    home.registered.mkdir()
    for record in sorted((home.root / "uploads").glob("*/upload.json")):
        if (record.parent / "request.json").exists():
            shutil.move(record.parent, home.registered)


def _user_data_folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path("ds3d", appauthor=False)
