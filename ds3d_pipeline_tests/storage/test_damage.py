"""Stored files are looked at before they are used: what is damaged is set aside and made again."""

import json
import os
import time

import psutil
import pytest
from upath import UPath

from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.publishing.build import Story
from ds3d_pipeline.publishing.publish import publish_capture
from ds3d_pipeline.storage import manifest
from ds3d_pipeline.storage.bundles import (
    CURRENT,
    Bundle,
    StageReport,
    current_report,
    current_version,
    fetch,
    publish,
    set_damaged_aside,
)
from ds3d_pipeline.storage.inventory import list_captures, read_status
from ds3d_pipeline.storage.manifest import MANIFEST, REPORT, BundleDamaged, find_damage
from ds3d_pipeline_tests.finished import make_bundles
from ds3d_pipeline_tests.homes import make_home, put_bundle
from ds3d_pipeline_tests.storage.test_bundles import make_bundle

CONTENT = ("images/a.txt", "b.bin")


def usable(place):
    """The report of the current bundle, unless that is damaged."""
    set_damaged_aside(place, thorough=False)
    return current_report(place)


def flip_a_bit(path, *, keep_time=False):
    """As a failing disk does, which leaves the time of the file as it was."""
    told = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    else:
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns + 10**9))


FAULTS = {
    "a flipped bit": flip_a_bit,
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
}


@pytest.fixture
def place(tmp_path):
    place = UPath(tmp_path / "storage" / "mesh" / "room")
    publish(make_bundle(tmp_path / "first"), place)
    return place


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", [*CONTENT, REPORT, MANIFEST])
@pytest.mark.fault(
    "flipped bytes", "deleted file of a bundle", "broken manifest", "deleted capture.json", "truncated model"
)
def test_a_damaged_bundle_is_not_used_and_heals(place, tmp_path, name, fault):
    version = current_version(place)
    FAULTS[fault](place / version / name)
    assert usable(place) is None
    assert not (place / version).exists()
    publish(make_bundle(tmp_path / "again"), place)
    assert (fetch(place, tmp_path).folder / "images" / "a.txt").read_text() == "hello"


@pytest.mark.parametrize("name", [*CONTENT, MANIFEST])
def test_a_damaged_bundle_is_not_handed_out(place, tmp_path, name):
    FAULTS["cut in half"](place / current_version(place) / name)
    with pytest.raises(BundleDamaged, match="stage mesh was damaged"):
        fetch(place, tmp_path)
    assert usable(place) is None


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.fault("storing into a damaged bundle")
def test_publishing_the_same_files_again_heals_what_no_time_betrays(place, tmp_path, name):
    flip_a_bit(place / current_version(place) / name, keep_time=True)
    publish(make_bundle(tmp_path / "again"), place)
    assert find_damage(fetch(place, tmp_path).folder, thorough=True) is None


@pytest.mark.parametrize("name", CONTENT)
def test_after_the_machine_started_again_every_byte_is_looked_at(place, monkeypatch, name):
    flip_a_bit(place / current_version(place) / name, keep_time=True)
    assert usable(place) is not None
    monkeypatch.setattr(manifest, "boot_id", lambda: "the next start")
    assert usable(place) is None


@pytest.mark.parametrize("year_s", [0, 4_000_000_000])
def test_a_date_that_was_wrong_hides_no_damage_after_the_next_start(place, monkeypatch, year_s):
    """Of a machine whose clock was set only after the bundle was stored and verified."""
    folder = place / current_version(place)
    for path in (folder, *folder.rglob("*")):
        if path.name not in (REPORT, *(name.rpartition("/")[2] for name in CONTENT)):
            os.utime(path, (year_s, year_s))
    assert usable(place) is not None
    flip_a_bit(folder / CONTENT[0], keep_time=True)
    monkeypatch.setattr(manifest, "boot_id", lambda: "the next start")
    assert usable(place) is None


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_where_a_start_has_no_identity_dates_tell(place, monkeypatch, step_s):
    monkeypatch.setattr(manifest, "boot_id", lambda: "")
    monkeypatch.setattr(psutil, "boot_time", lambda: time.time() + step_s)
    flip_a_bit(place / current_version(place) / CONTENT[0], keep_time=True)
    assert (usable(place) is None) == (step_s > 0)


def test_files_are_hashed_once_a_start_of_the_machine(place, monkeypatch):
    hashed = []
    sha256 = "ds3d_pipeline.storage.manifest.file_sha256"
    monkeypatch.setattr(manifest, "boot_id", lambda: "the next start")
    monkeypatch.setattr(sha256, lambda path: hashed.append(path) or file_sha256(path))
    assert usable(place)
    assert usable(place)
    assert len(hashed) == len(CONTENT) + 1


@pytest.mark.parametrize("pointer", [b"", b"\xff\xfe\x00", b"../../etc", b"0" * 32, b"no hash at all"])
@pytest.mark.fault("broken report or pointer")
def test_a_pointer_that_points_nowhere_counts_as_none(place, tmp_path, pointer):
    (place / CURRENT).write_bytes(pointer)
    assert usable(place) is None
    publish(make_bundle(tmp_path / "again"), place)
    assert usable(place) is not None


@pytest.mark.parametrize("name", [CURRENT, REPORT, MANIFEST, "metrics.json"])
@pytest.mark.parametrize("text", ["", "{}", "[]", "\ud800"])
@pytest.mark.fault("broken report or pointer", "broken metrics", "broken manifest")
def test_one_bad_capture_stops_no_list(tmp_path, name, text):
    home = make_home(tmp_path / "home")
    good = '{"status": "ok", "mode": "balanced", "reasons": []}'
    for capture in ("bad", "good"):
        put_bundle(home, "mesh", capture, "mesh")
        put_bundle(home, "metrics", capture, good)
    for stage in ("mesh", "metrics"):
        place = UPath(home.storage) / stage / "bad"
        path = place / CURRENT if name == CURRENT else place / current_version(place) / name
        path.write_bytes(text.encode(errors="surrogatepass"))
    found = {summary.name: summary.status for summary in list_captures(home)}
    assert found["good"] == "ok"
    assert "bad" in found
    read_status(home, "bad")


@pytest.mark.fault("flipped bytes")
def test_what_is_published_is_what_was_sealed(tmp_path):
    made = make_bundles(tmp_path / "bundles")
    bundles = {}
    for stage, bundle in made.items():
        place = UPath(tmp_path / "storage" / stage / "wall")
        publish(bundle, place)
        bundles[stage] = fetch(place, tmp_path)
    damaged = bundles["mesh"].folder / "model.glb"
    flip_a_bit(damaged, keep_time=True)
    with pytest.raises(BundleDamaged, match="stage mesh was damaged"):
        publish_capture(Story(capture="wall", mode="balanced"), bundles, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert usable(UPath(tmp_path / "storage" / "mesh" / "wall")) is None


def test_a_damaged_remote_file_is_found_when_it_is_fetched(tmp_path):
    place = UPath(f"memory://{tmp_path.name}/mesh/room")
    publish(make_bundle(tmp_path / "first"), place)
    path = place / current_version(place) / "b.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleDamaged, match=r"b\.bin is damaged"):
        fetch(place, tmp_path / "cache")
    assert usable(place) is None


def test_a_bundle_of_an_earlier_version_is_still_read(place):
    """Manifests knew no times then."""
    folder = place / current_version(place)
    manifest = folder / MANIFEST
    entries = {name: entry for name, entry in json.loads(manifest.read_text()).items() if name != REPORT}
    for entry in entries.values():
        del entry["mtime_ns"]
    manifest.write_text(json.dumps(entries))
    found = usable(place)
    assert found is not None
    assert isinstance(found[1], StageReport)


def test_a_bundle_knows_its_version(place, tmp_path):
    assert isinstance(fetch(place, tmp_path, current_version(place)), Bundle)
