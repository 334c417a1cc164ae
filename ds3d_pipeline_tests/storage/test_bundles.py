import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from upath import UPath

from ds3d_pipeline.storage.bundles import (
    Attempt,
    Bundle,
    StageReport,
    current_report,
    current_version,
    fetch,
    link_tree,
    publish,
    seal,
)
from ds3d_pipeline_tests.homes import make_home, put_bundle


def make_report(**changes) -> StageReport:
    facts = {
        "stage": "mesh",
        "backend": "poisson",
        "attempts": (Attempt(backend="poisson", outcome="ok", seconds=1.5),),
        "seconds": 1.5,
        "peak_memory_mb": 10.0,
        "fingerprint": "f",
        "result": {"faces": 3},
    }
    return StageReport(**(facts | changes))


def make_bundle(folder: Path, text: str = "hello", **changes) -> Bundle:
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.txt").write_text(text)
    (folder / "b.bin").write_bytes(bytes(range(256)))
    return seal(folder, make_report(**changes))


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path) -> UPath:
    if request.param == "local":
        return UPath(tmp_path / "storage" / "mesh" / "room")
    return UPath(f"memory://{tmp_path.name}/mesh/room")


def test_what_is_published_comes_back(place, tmp_path):
    bundle = make_bundle(tmp_path / "out")
    publish(bundle, place)
    back = fetch(place, tmp_path / "cache")
    assert back.data_version == bundle.data_version == current_version(place)
    assert (back.folder / "images" / "a.txt").read_text() == "hello"
    assert (back.folder / "b.bin").read_bytes() == bytes(range(256))
    assert back.report == make_report()


def test_the_version_is_the_content_alone(tmp_path):
    first = make_bundle(tmp_path / "1", seconds=1.0)
    same = make_bundle(tmp_path / "2", seconds=2.0, backend="other")
    other = make_bundle(tmp_path / "3", text="changed")
    assert first.data_version == same.data_version != other.data_version


def test_publishing_the_same_content_again_renews_the_report(place, tmp_path):
    publish(make_bundle(tmp_path / "1"), place)
    publish(make_bundle(tmp_path / "2", fingerprint="new"), place)
    found = current_report(place)
    assert found is not None
    assert found[1].fingerprint == "new"


def test_nothing_published_is_said_so(place, tmp_path):
    assert current_report(place) is None
    with pytest.raises(FileNotFoundError, match="materialise"):
        fetch(place, tmp_path / "cache")


def test_links_share_content(tmp_path):
    bundle = make_bundle(tmp_path / "out")
    link_tree(bundle.folder, tmp_path / "in")
    assert sorted(p.name for p in (tmp_path / "in").rglob("*") if p.is_file()) == ["a.txt", "b.bin"]


PUBLISHER = """
import sys
from pathlib import Path
from upath import UPath
from ds3d_pipeline.storage.bundles import publish
from ds3d_pipeline_tests.storage.test_bundles import make_bundle
folder, place = Path(sys.argv[1]), UPath(sys.argv[2])
number = 0
while True:
    publish(make_bundle(folder / str(number), text=f"{number:04d}" * 5000), place)
    print(number, flush=True)
    number += 1
"""


def test_a_kill_at_any_moment_leaves_a_whole_bundle(tmp_path):
    place = UPath(tmp_path / "storage" / "mesh" / "room")
    for round_number in range(4):
        argv = [sys.executable, "-c", PUBLISHER, str(tmp_path / f"w{round_number}"), str(place)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.013 * round_number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        back = fetch(place, tmp_path / "cache")
        text = (back.folder / "images" / "a.txt").read_text()
        assert text == text[:4] * 5000
        again = seal(back.folder, back.report)
        assert again.data_version == back.data_version


@pytest.mark.skipif(sys.platform != "linux", reason="does not apply: names of open files are told in /proc")
def test_every_step_of_publishing_has_reached_the_disk_before_the_next(tmp_path, monkeypatch):
    """So that a power cut leaves no pointer to a bundle with holes."""
    done: list[tuple[str, str]] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def spy_fsync(descriptor):
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def spy_move(move):
        def spy(source, target):
            done.append(("move", Path(target).name))
            move(source, target)

        return spy

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "rename", spy_move(rename))
    monkeypatch.setattr(os, "replace", spy_move(replace))
    version = put_bundle(make_home(tmp_path / "home"), "mesh", "room", "text").data_version
    sealed, moved, flipped = (done.index(("move", name)) for name in ("manifest.json", version, "CURRENT"))
    assert ("sync", "file.txt") in done[:sealed]
    assert ("sync", "report.json") in done[:sealed]
    assert done[sealed + 1] == ("sync", "text")
    assert sealed < moved < flipped
    assert ("sync", "room") in done[moved:flipped]
    assert done[flipped - 1][1].startswith(".CURRENT.")
    assert done[flipped + 1] == ("sync", "room")
