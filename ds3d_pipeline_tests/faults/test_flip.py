"""One bit of a stored file is flipped: never `ok` with the damaged file, and healed by the same command."""

import os
from pathlib import Path

import pytest

from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.storage.manifest import REPORT, VERIFIED, find_damage, read_manifest
from ds3d_pipeline_tests.faults.rounds import Place


def flip(path: Path, *, silently: bool) -> str:
    """Flips the middle bit and returns the digest; silently keeps the file's time, as a bad disk does."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    if silently:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return file_sha256(path)


def current_bundles(place: Place) -> list[Path]:
    """The bundles of `tiny` that count."""
    return [pointer.parent / pointer.read_text() for pointer in place.home.glob("storage/*/tiny/CURRENT")]


def stored_files(place: Place) -> list[Path]:
    """All files of them, and the pointers, by names that stay when a bundle is made anew."""
    bundles = current_bundles(place)
    files = [file for bundle in bundles for file in sorted(bundle.rglob("*")) if file.is_file()]
    return [*files, *(bundle.parent / "CURRENT" for bundle in bundles)]


def published_from(place: Place) -> set[str]:
    """Digests of the files that are published: a flip in their source must be seen without any hint."""
    return set(place.published().values())


def assert_healed(place: Place, path: Path, *, silently: bool) -> None:
    """The same command never takes the flipped file, and afterwards every stored file is whole."""
    damaged = flip(path, silently=silently)
    place.succeed()
    assert damaged not in published_from(place), path
    for bundle in current_bundles(place):
        assert find_damage(bundle, thorough=True) is None, (path, bundle)
        assert damaged not in {entry.sha256 for entry in read_manifest(bundle).values()}, path


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "name"), [("mesh", "model.glb"), ("poses", "000003.jpg")])
@pytest.mark.fault("flipped bytes")
def test_a_bit_that_flips_in_a_file_that_is_published_is_seen_and_healed(place, stage, name):
    path = next(p for p in stored_files(place) if p.name == name and stage in p.parts)
    assert_healed(place, path, silently=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", [REPORT, "CURRENT"])
@pytest.mark.fault("broken report or pointer")
def test_a_bit_that_flips_in_what_ds3d_keeps_for_itself_is_healed(place, name):
    path = next(p for p in stored_files(place) if p.name == name and "mesh" in p.parts)
    assert_healed(place, path, silently=False)


@pytest.mark.nightly
def test_a_bit_that_flips_in_any_stored_file_is_healed(place):
    """Each in turn: the home changes on the way, so files are counted, not named."""
    position = 0
    while position < len(files := [f for f in stored_files(place) if f.name != VERIFIED]):
        path = files[position]
        assert_healed(place, path, silently=file_sha256(path) in published_from(place))
        position += 1
