"""Runs that ask for the same share their work, and those that ask for something else do not."""

import logging
import os
import time

import dagster as dg
import pytest
from upath import UPath

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.execution.journal import run_journal
from ds3d_pipeline.execution.ladder import Inputs
from ds3d_pipeline.execution.sharing import stored_since
from ds3d_pipeline.execution.state import LadderState
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.storage.bundles import CURRENT, StageReport, current_report, current_version
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.execution.test_freshness import RESULTS
from ds3d_pipeline_tests.homes import make_home, put_bundle

CAPTURE = "wall-00000000"
READ = {"upload.json": "0"}
INPUTS = Inputs(file_versions=READ)


@pytest.fixture
def state(tmp_path):
    """The capture stage of a run, for which another run has stored its files."""
    home = make_home(tmp_path / "home")
    state = LadderState(
        home=home,
        journal=run_journal(home, "second"),
        run_id="second",
        stage="capture",
        attempt=0,
        options=CaptureOptions(),
        prefer=None,
        log=logging.getLogger(),
    )
    mark = fingerprint("capture", CaptureOptions(), None, READ)
    put_bundle(home, "capture", CAPTURE, mark, result=RESULTS["capture"])
    return state


def place(state) -> UPath:
    return UPath(state.home.storage) / "capture" / CAPTURE


def test_what_an_equal_run_stored_meanwhile_is_used_with_its_attempts(state):
    bundle = stored_since(state, CAPTURE, INPUTS, time.time() - 60)
    assert bundle is not None
    assert bundle.data_version == current_version(place(state))
    assert state.journal.attempts("capture") == bundle.report.attempts != ()


def test_what_was_there_before_the_run_was_asked_for_is_made_again(state):
    assert stored_since(state, CAPTURE, INPUTS, time.time() + 60) is None
    assert state.journal.attempts("capture") == ()


def test_what_was_made_of_other_files_or_options_is_not_shared(state):
    other = Inputs(file_versions={"upload.json": "1"})
    assert stored_since(state, CAPTURE, other, 0.0) is None
    assert stored_since(state, "room-00000000", INPUTS, 0.0) is None


@pytest.mark.parametrize("keep_time", [True, False])
def test_what_was_damaged_meanwhile_is_set_aside_and_made_again(state, keep_time):
    version = current_version(place(state))
    path = next(path for path in (place(state) / version).iterdir() if path.suffix == ".txt")
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stored_since(state, CAPTURE, INPUTS, 0.0) is None
    assert not (place(state) / version).exists()


def logs_of(home, run_id):
    return list((home.logs / run_id).rglob("*")) if (home.logs / run_id).exists() else []


@pytest.mark.slow
def test_of_two_equal_runs_of_dagster_the_second_uses_what_the_first_made(
    tmp_path, monkeypatch, small_photos
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    home, key = prepare_home(), accept([small_photos], CaptureOptions()).capture
    stages = [dg.AssetKey(stage) for stage in ("capture", "keyframes")]
    tags = {"dagster/partition": key, "ds3d/mode": "fastest"}
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(stages))
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("captures", [key])

        def run(run_id):
            return job.execute_in_process(
                instance=instance, partition_key=key, run_id=run_id, tags=tags, asset_selection=stages
            )

        assert run("00000000-0000-0000-0000-000000000001").success
        pointers = [UPath(home.storage) / stage / key / CURRENT for stage in ("capture", "keyframes")]
        versions = [current_report(pointer.parent) for pointer in pointers]
        # As if the second had been asked for before the first stored them.
        for pointer in pointers:
            os.utime(str(pointer), (time.time() + 3600, time.time() + 3600))
        assert run("00000000-0000-0000-0000-000000000002").success
        assert [current_report(pointer.parent) for pointer in pointers] == versions
        assert isinstance(versions[0][1], StageReport)
        assert logs_of(home, "00000000-0000-0000-0000-000000000001")
        assert not logs_of(home, "00000000-0000-0000-0000-000000000002")
