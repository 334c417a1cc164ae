"""The watched folder as Dagster sees it: what a tick asks for, and that Dagster could do it."""

import dataclasses
import errno
import json
import shutil

import dagster as dg
import pytest

from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.sensors import requests
from ds3d_pipeline.defs.sensors import watched_folder as sensors
from ds3d_pipeline.execution.freshness import fingerprint
from ds3d_pipeline.intake.watched.ledger import read_ledger, write_ledger
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.storage.registrations import content_versions, upload_files
from ds3d_pipeline_tests.execution.test_freshness import RESULTS
from ds3d_pipeline_tests.homes import put_bundle
from ds3d_pipeline_tests.intake.watched.folder import EMOJI, put_photos, put_video, zip_of


class Folder:
    """The sensor with an instance of its own, ticked by hand."""

    def __init__(self, instance) -> None:
        self.home, self.instance, self.cursor = prepare_home(), instance, None
        self.root = self.home.root / "uploads"

    def tick(self, *, noted: bool = True) -> dg.SensorResult:
        """One tick; not `noted` is a daemon that is killed before it stores the cursor."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=defs)
        with context:
            result = sensors.capture_uploads(context)
        for request in result.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        if noted:
            self.cursor = result.cursor
        return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sensors, "EVERY_S", 0)
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        yield Folder(instance)


def test_it_runs_from_the_start_and_knows_every_mode():
    sensor = defs.resolve_sensor_def("capture_uploads")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert {target.job_name for target in sensor.targets} == {f"reconstruct_{mode}" for mode in MODES}


def test_an_empty_folder_is_told(folder):
    result = folder.tick()
    assert not result.run_requests
    assert "The upload folder is empty" in result.skip_reason.skip_message


def test_one_result_holds_partition_run_and_cursor(folder):
    put_video(folder.root / EMOJI)
    assert "bär.mp4 waits" in folder.tick().skip_reason.skip_message
    result = folder.tick()
    (request,) = result.run_requests
    (partitions,) = result.dynamic_partitions_requests
    assert partitions.partition_keys == [request.partition_key]
    assert result.cursor == "1"
    assert request.job_name == "reconstruct_balanced"
    assert request.tags["ds3d/upload"] == EMOJI
    assert request.asset_selection is None
    dg.validate_run_config(defs.resolve_job_def(request.job_name), request.run_config)
    told = folder.tick().skip_reason.skip_message
    assert f"taken as capture {request.partition_key}" in told


def test_modes_options_and_duplicates(folder):
    room = put_photos(folder.root / "fastest" / "room", seed=1)
    zip_of(room, folder.root / "fastest" / "room.zip")
    put_video(folder.root / "clip.mp4", seed=2)
    (folder.root / "clip.toml").write_text('mode = "quality"\n[splat]\ntrain = false\n')
    folder.tick()
    requests = {request.tags["ds3d/upload"]: request for request in folder.tick().run_requests}
    assert set(requests) == {"clip.mp4", "fastest/room"}
    assert requests["fastest/room"].job_name == "reconstruct_fastest"
    clip = requests["clip.mp4"]
    assert clip.job_name == "reconstruct_quality"
    assert clip.run_config["ops"]["splat"] == {"config": {"train": False}}
    dg.validate_run_config(defs.resolve_job_def(clip.job_name), clip.run_config)


def test_a_broken_file_is_rejected_and_stops_nothing(folder):
    put_video(folder.root / "clip.mp4")
    (folder.root / "broken.mp4").write_bytes(b"no video" * 500)
    folder.tick()
    (request,) = folder.tick().run_requests
    assert request.tags["ds3d/upload"] == "clip.mp4"
    assert (folder.root / "rejected" / "broken.mp4.txt").exists()


def test_a_growing_folder_and_a_growing_file_wait(folder, tmp_path):
    whole, room = put_video(tmp_path / "whole.mp4", 1), folder.root / "room"
    data = whole.read_bytes()
    for share in (0.3, 0.6, 1.0):
        put_photos(room, count=round(10 * share), seed=2)
        (folder.root / "clip.mp4").write_bytes(data[: round(share * len(data))])
        assert not folder.tick().run_requests
    assert {request.tags["ds3d/upload"] for request in folder.tick().run_requests} == {"room", "clip.mp4"}


def test_a_daemon_that_dies_before_the_cursor_is_stored_asks_again_with_the_same_key(folder):
    put_video(folder.root / "clip.mp4")
    folder.tick()
    (lost,) = folder.tick(noted=False).run_requests
    (again,) = folder.tick().run_requests
    assert again == lost
    assert not folder.tick().run_requests


def test_a_path_of_ones_own(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DS3D_UPLOADS", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("DS3D_OUTPUTS", str(tmp_path / "made"))
    put_video(tmp_path / "elsewhere" / "clip.mp4")
    folder.tick()
    (request,) = folder.tick().run_requests
    assert request.run_config["ops"]["metrics"]["config"]["output"] == str(tmp_path / "made")


def test_another_mode_runs_only_what_depends_on_it(folder):
    """The staged upload of the first run is what the second would stage again."""
    clip = put_video(folder.root / "clip.mp4")
    folder.tick()
    (first,) = folder.tick().run_requests
    files = upload_files(folder.home, first.partition_key)
    mark = fingerprint("capture", MODES["quality"].capture, None, content_versions(files))
    put_bundle(folder.home, "capture", first.partition_key, mark, result=RESULTS["capture"])
    (folder.root / "quality").mkdir()
    shutil.copyfile(clip, folder.root / "quality" / "clip.mp4")
    folder.tick()
    (second,) = folder.tick().run_requests
    assert second.partition_key == first.partition_key
    assert second.run_key != first.run_key
    assert [key.path[0] for key in second.asset_selection] == list(STAGES[1:])
    assert json.dumps(second.run_config)


@pytest.mark.parametrize(
    ("status", "asked"), [(dg.DagsterRunStatus.FAILURE, 1), (dg.DagsterRunStatus.SUCCESS, 0)]
)
def test_content_that_is_put_there_again_runs_only_after_a_failure(folder, status, asked):
    clip = put_video(folder.root / "clip.mp4")
    folder.tick()
    (request,) = folder.tick().run_requests
    run = dg.DagsterRun(job_name=request.job_name, status=status, tags={"dagster/run_key": request.run_key})
    folder.instance.add_run(run)
    clip.rename(folder.root / "again.mp4")
    folder.tick()
    assert len(folder.tick().run_requests or ()) == asked


@pytest.mark.parametrize(
    "misfit",
    [
        {"tables": {"mesh": {"max_faces": "many"}}},
        {"tables": {"soup": {"salt": 1}}},
        {"mode": "best"},
        {"prefer": {"poses": "magic"}},
    ],
)
def test_a_queued_request_that_no_longer_fits_is_named_and_passed_by(folder, misfit):
    """As an earlier version, or a later one, may have queued it."""
    put_video(folder.root / "a.mp4", 1)
    put_video(folder.root / "b.mp4", 2)
    folder.tick()
    assert len(folder.tick(noted=False).run_requests) == 2
    ledger = read_ledger(folder.home)
    key = next(key for key, queued in ledger.queued.items() if queued.request.upload == "a.mp4")
    unfit = dataclasses.replace(ledger.queued[key].request, **misfit)
    queued = ledger.queued | {key: dataclasses.replace(ledger.queued[key], request=unfit)}
    write_ledger(folder.home, dataclasses.replace(ledger, queued=queued))
    (request,) = folder.tick().run_requests
    assert request.tags["ds3d/upload"] == "b.mp4"
    told = folder.tick().skip_reason.skip_message
    assert "a.mp4 is not run, since what it asks for does not fit any more: " in told
    (folder.root / "a.toml").write_text('mode = "fastest"\n')
    folder.tick()
    (request,) = folder.tick().run_requests
    assert request.tags["ds3d/upload"] == "a.mp4"


def test_a_request_that_cannot_be_asked_for_now_is_asked_for_later(folder, monkeypatch):
    """A disk that fails while one capture's stored files are read, for instance."""
    put_video(folder.root / "a.mp4", 1)
    put_video(folder.root / "b.mp4", 2)
    folder.tick()
    find_fresh = requests.find_fresh

    def failing(home, capture, options, prefer):
        if capture.startswith("a-"):
            raise OSError(errno.EIO, "Input/output error", "stored")
        return find_fresh(home, capture, options, prefer)

    with monkeypatch.context() as patched:
        patched.setattr(requests, "find_fresh", failing)
        (given,) = folder.tick().run_requests
        assert given.tags["ds3d/upload"] == "b.mp4"
        assert [request.run_key for request in folder.tick().run_requests] == [given.run_key]
    again = {request.tags["ds3d/upload"]: request.run_key for request in folder.tick().run_requests}
    assert again.keys() == {"a.mp4", "b.mp4"}
    assert again["b.mp4"] == given.run_key
    assert not folder.tick().run_requests


def test_a_file_in_the_place_of_the_folder_is_one_sentence_in_the_tick(folder):
    folder.root.write_text("x")
    context = dg.build_sensor_context(instance=folder.instance, definitions=defs)
    with context:
        assert "is a file" in sensors.capture_uploads(context).skip_message
