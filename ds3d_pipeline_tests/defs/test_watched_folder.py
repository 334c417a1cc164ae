"""`dagster dev` in a clean home while files are dropped into its folder, and killed in the middle of it."""

import os
import shutil
import signal
import time

import cv2
import pytest

from ds3d_pipeline_tests.capture.samples import write_video
from ds3d_pipeline_tests.captures import make_photos, run_ds3d
from ds3d_pipeline_tests.defs.test_dev import Dev
from ds3d_pipeline_tests.intake.watched.folder import EMOJI, zip_of

pytestmark = pytest.mark.slow

RUNS = "query { runsOrError { ... on Runs { results { runId status parentRunId tags { key value } } } } }"
TICKS = """query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState {
  status ticks(limit: 500) { status skipReason } } } } }"""
MADE = """query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations { partition } } } }"""
SENSOR = {
    "repositoryLocationName": "ds3d_pipeline.definitions",
    "repositoryName": "__repository__",
    "sensorName": "capture_uploads",
}
CLIP = "fastest/clip.mp4"


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """Small captures to drop, beside a new home."""
    monkeypatch.setenv("DS3D_UPLOADS_EVERY_S", "3")
    photos = make_photos(tmp_path / "made").rename(tmp_path / "room")
    frames = [cv2.imread(str(path))[:, :, ::-1] for path in sorted(photos.iterdir()) for _ in range(4)]
    write_video(tmp_path / "clip.mp4", frames)
    write_video(tmp_path / "other.mp4", frames[::-1])
    assert run_ds3d(tmp_path / "home", "home").returncode == 0
    (tmp_path / "home" / "uploads" / "fastest").mkdir(parents=True)
    return tmp_path


def runs_of(dev):
    """(upload, status, whether it goes on from an earlier run) of every run, latest first."""
    for run in dev.ask(RUNS)["runsOrError"]["results"]:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        yield tags["ds3d/upload"], run["status"], bool(run["parentRunId"])


def firsts(dev):
    return sorted(upload for upload, _, goes_on in runs_of(dev) if not goes_on)


def made(dev, stage):
    """The partition of every materialisation of a stage's asset."""
    asset = dev.ask(MADE, key={"path": [stage]})["assetOrError"]
    return [entry["partition"] for entry in asset.get("assetMaterializations", ())]


def told_by_ticks(dev):
    state = dev.ask(TICKS, s=SENSOR)["sensorOrError"]["sensorState"]
    assert state["status"] == "RUNNING"
    assert "FAILURE" not in {tick["status"] for tick in state["ticks"]}
    return "\n".join(tick["skipReason"] or "" for tick in state["ticks"])


def wait_until(condition, dev):
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, (list(runs_of(dev)), dev.log.read_text()[-2000:])
        time.sleep(0.5)


def drop_before_the_kill(dropped, folder):
    """A video, a broken one, half of one with an emoji name, and a folder whose photos come slowly."""
    shutil.copyfile(dropped / "clip.mp4", folder / "clip.mp4")
    (folder.parent / "broken.mp4").write_bytes(b"no video" * 400)
    (folder / f"{EMOJI}.part").write_bytes((dropped / "other.mp4").read_bytes()[:2000])
    (folder / "room").mkdir()
    for photo in sorted((dropped / "room").iterdir()):
        shutil.copyfile(photo, folder / "room" / photo.name)
        time.sleep(1.5)


def drop_while_it_is_down(dropped, folder):
    """The photos once more as a zip, and the rest of the video."""
    zip_of(dropped / "room", folder / "room.zip")
    shutil.copyfile(dropped / "other.mp4", folder / EMOJI)
    (folder / f"{EMOJI}.part").unlink()


def test_every_upload_becomes_one_run_though_dagster_is_killed(dropped):
    home = dropped / "home"
    folder = home / "uploads" / "fastest"
    dev = Dev(home)
    try:
        dev.wait()
        drop_before_the_kill(dropped, folder)
        wait_until(lambda: any(partition.startswith("clip-") for partition in made(dev, "keyframes")), dev)
    finally:
        os.killpg(dev.process.pid, signal.SIGKILL)
        dev.process.wait()

    drop_while_it_is_down(dropped, folder)
    dev = Dev(home)
    try:
        dev.wait()
        wanted = sorted([CLIP, "fastest/room", f"fastest/{EMOJI}"])
        wait_until(lambda: firsts(dev) == wanted, dev)
        wait_until(lambda: (CLIP, "SUCCESS", True) in runs_of(dev), dev)
        told, runs = told_by_ticks(dev), list(runs_of(dev))
        captures, keyframes = made(dev, "capture"), made(dev, "keyframes")
    finally:
        dev.stop()

    assert sorted(upload for upload, _, goes_on in runs if not goes_on) == wanted
    assert [run for run in runs if run[0] == CLIP] == [(CLIP, "SUCCESS", True), (CLIP, "FAILURE", False)]
    for partitions in (captures, keyframes):
        assert len([partition for partition in partitions if partition.startswith("clip-")]) == 1
    assert "fastest/room.zip has the content of fastest/room" in told
    assert "broken.mp4 moved to rejected/" in told
    assert f"fastest/{EMOJI}.part is still being written" in told
    assert (folder.parent / "rejected" / "broken.mp4.txt").exists()
    assert len(list((home / "outputs").glob("clip-*/metrics.json"))) == 1
