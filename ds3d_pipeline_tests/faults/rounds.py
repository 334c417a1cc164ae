"""What every round ends with: the input unchanged, finished captures whole, the same command succeeds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.storage.manifest import VERIFIED
from ds3d_pipeline_tests.captures import run_ds3d
from ds3d_pipeline_tests.faults.injector import Fault, Kind, Struck, run_struck

NEVER_SHOWN = ("Traceback (most recent call last)", "Error: [Errno", "sqlalchemy", "sqlalche.me", "sqlite3.")
Digests = Mapping[str, str]


def digests(folder: Path) -> Digests:
    """Name and content of every file below `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): file_sha256(path) for path in files}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A home with the finished capture `tiny`."""

    home: Path
    output: Path
    photos: Path
    photos_before: Digests

    def words(self, name: str, photos: Path) -> tuple[object, ...]:
        """The command that makes a capture."""
        return ("reconstruct", photos, "--mode", "fastest", "--name", name, "--output", self.output)

    def bundles(self) -> Digests:
        """The stored files of `tiny`, but for those that a run of it writes anew each time."""
        found = {}
        for place in self.home.glob("storage/*/tiny"):
            if place.parent.name != "metrics":
                found |= {f"{place.parent.name}/{name}": sha for name, sha in digests(place).items()}
        return {name: sha for name, sha in found.items() if Path(name).name != VERIFIED}

    def published(self) -> Digests:
        """The files of the finished capture."""
        return digests(self.output / "tiny")

    def succeed(self) -> None:
        """The same command, without a fault."""
        done = run_ds3d(self.home, *self.words("tiny", self.photos))
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
        assert "status: ok" in done.stdout
        assert digests(self.photos) == self.photos_before


def make_place(root: Path, photos: Path) -> Place:
    """Reconstructs `photos` in a new home."""
    place = Place(home=root / "home", output=root / "out", photos=photos, photos_before=digests(photos))
    place.succeed()
    return place


def assert_plain(struck: Struck) -> None:
    """Says what is wrong as a sentence, whatever it is."""
    assert struck.returncode in (0, 1, 2), (struck.returncode, struck.said[-3000:])
    for text in NEVER_SHOWN:
        assert text not in struck.said, struck.said[-3000:]


def later_and_later(
    kind: Kind, growth: float, place: Place, injector: Path, photos: Path
) -> Iterator[tuple[int, Struck]]:
    """The command for the new capture `other` with faults in the home that strike ever later, without end.

    None of them may touch its photos, nor `tiny`.
    """
    stored, published, before = place.bundles(), place.published(), digests(photos)
    at = 1
    while True:
        fault = Fault(kind=kind, under=place.home, at=at)
        struck = run_struck(injector, fault, place.home, *place.words("other", photos))
        assert digests(photos) == before
        assert place.bundles() == stored
        assert place.published() == published
        yield at, struck
        at = int(at * growth) + 1
