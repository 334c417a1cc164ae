"""Cleaning takes what nothing refers to, and nothing else."""

import os
import shutil
import time
from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.capture import content
from ds3d_pipeline.capture.inputs import find_inputs
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.defs.runs import find_running
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.programs.locks import IN_USE
from ds3d_pipeline.storage.bundles import fetch, publish, seal
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.leftovers import drop, find_leftovers, find_old_leftovers
from ds3d_pipeline_tests.captures import run_ds3d
from ds3d_pipeline_tests.homes import make_home, put_bundle


@pytest.fixture(params=["local", "memory"])
def home(tmp_path, request):
    """Two versions of a mesh, one of a splat, and the scratch folders of two runs."""
    storage = f"memory://{tmp_path.name}" if request.param == "memory" else None
    home = make_home(tmp_path / "home", storage)
    put_bundle(home, "mesh", "room", "old" * 100)
    put_bundle(home, "mesh", "room", "new")
    put_bundle(home, "splat", "room", "only")
    for run in ("ended", "going"):
        (home.work / run).mkdir()
        (home.work / run / "half.ply").write_text("x" * 40)
    return home


def kinds(leftovers):
    return sorted((leftover.kind, leftover.path.name) for leftover in leftovers)


def text_of(home, stage):
    bundle = fetch(UPath(home.storage) / stage / "room", home.root / "cache")
    return (bundle.folder / "file.txt").read_text()


def test_superseded_bundles_and_scratch_go_and_current_ones_stay(home):
    found = find_leftovers(home, set())
    assert [leftover.kind for leftover in found] == ["scratch", "scratch", "superseded"]
    assert found[-1].bytes >= 300
    assert all(drop(leftover) for leftover in found)
    assert find_leftovers(home, set()) == []
    assert (text_of(home, "mesh"), text_of(home, "splat")) == ("new", "only")


def test_while_a_run_goes_on_only_the_scratch_of_others_can_go(home):
    assert kinds(find_leftovers(home, {"going"})) == [("scratch", "ended")]


@pytest.mark.parametrize("step_s", [-1e8, 1e8])
def test_whatever_the_date_the_scratch_of_a_run_that_goes_on_stays(home, step_s):
    """Of other runs it stays where it seems to be from the future: no harm, and never for good."""
    for path in home.work.rglob("*"):
        os.utime(path, (time.time() - step_s, time.time() - step_s))
    found = kinds(find_old_leftovers(home, {"going"}, 3600.0))
    assert found == ([("scratch", "ended")] if step_s > 0 else [])


def test_what_became_current_again_is_kept(tmp_path):
    home = make_home(tmp_path / "home")
    old = put_bundle(home, "mesh", "room", "old")
    put_bundle(home, "mesh", "room", "new")
    (superseded,) = find_leftovers(home, set())
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "file.txt").write_text("old")
    publish(seal(folder, old.report), UPath(home.storage) / "mesh" / "room")
    assert not drop(superseded)
    assert text_of(home, "mesh") == "old"


def test_half_published_bundles_of_a_killed_run_go(tmp_path):
    home = make_home(tmp_path / "home")
    put_bundle(home, "mesh", "room", "new")
    place = UPath(home.storage) / "mesh" / "room"
    for path in (place / ".CURRENT.123", place.parent / "first" / "00000000"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert [leftover.kind for leftover in find_leftovers(home, set())].count("half published") == 2


def test_superseded_downloads_of_a_remote_storage_go(tmp_path):
    home = make_home(tmp_path / "home", f"memory://{tmp_path.name}")
    put_bundle(home, "mesh", "room", "old")
    assert text_of(home, "mesh") == "old"
    put_bundle(home, "mesh", "room", "new")
    assert text_of(home, "mesh") == "new"
    found = find_leftovers(home, set())
    assert [leftover.kind for leftover in found] == ["superseded", "cached"]
    assert len([leftover for leftover in found if drop(leftover)]) == 2
    assert len(list((home.root / "cache").glob("*/*/*"))) == 1


def test_runs_that_have_not_ended_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home = prepare_home()
    with dg.DagsterInstance.get() as instance:
        for status in (
            dg.DagsterRunStatus.STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.SUCCESS,
        ):
            instance.add_run(dg.DagsterRun(job_name="job", run_id=status.value.lower(), status=status))
    assert find_running(home) == {"started", "starting"}


@pytest.mark.slow
def test_the_command_only_tells_until_it_is_told_yes(tmp_path):
    home = make_home(tmp_path / "home")
    old = put_bundle(home, "mesh", "room", "old" * 100)
    put_bundle(home, "mesh", "room", "new")
    place = UPath(home.storage) / "mesh" / "room"
    told = run_ds3d(home.root, "clean")
    assert "superseded" in told.stdout
    assert "can be freed" in told.stdout
    assert (place / old.data_version).exists()
    assert "Freed" in run_ds3d(home.root, "clean", "--yes").stdout
    assert not (place / old.data_version).exists()
    assert "Nothing to clean" in run_ds3d(home.root, "clean", "--yes").stdout


def test_a_run_that_dagster_does_not_know_yet_counts_as_going_on(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    home = prepare_home()
    journal = run_journal(home, "begun")
    with journal.beating():
        assert find_running(home) == {"begun"}


def test_a_zip_that_is_being_checked_keeps_its_scratch(tmp_path, monkeypatch, small_photos):
    home, found = make_home(tmp_path / "home"), []
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", small_photos)
    check = content._checked_photo

    def look_and_check(*words, **named):
        (scratch,) = home.work.iterdir()
        assert len(list(scratch.glob("*.jpg"))) == 1
        found.append(find_leftovers(home, ()))
        return check(*words, **named)

    monkeypatch.setattr(content, "_checked_photo", look_and_check)
    content.examine(find_inputs([Path(archive)]), CaptureOptions(), home.work)
    assert found == [[]] * 8
    assert list(home.work.iterdir()) == []


def test_the_scratch_of_a_killed_check_goes(tmp_path):
    home = make_home(tmp_path / "home")
    (home.work / "ds3d-killed").mkdir()
    (home.work / "ds3d-killed" / IN_USE).touch()
    assert kinds(find_leftovers(home, ())) == [("scratch", "ds3d-killed")]
