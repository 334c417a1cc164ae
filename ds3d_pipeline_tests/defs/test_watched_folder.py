"""`dagster dev` in a clean home while files are dropped into its folder: the right runs, exactly once."""

import collections
import shutil
import time

import numpy as np
from PIL import Image

from ds3d_pipeline_tests.capture.samples import write_video
from ds3d_pipeline_tests.captures import make_photos
from ds3d_pipeline_tests.defs.test_dev import Dev
from ds3d_pipeline_tests.inbox.folder import zip_of

RUNS = "query { runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
TICKS = """query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState {
  ticks(limit: 100) { status skipReason error { message } runIds } } } } }"""
SENSOR = {
    "repositoryLocationName": "ds3d_pipeline.definitions",
    "repositoryName": "__repository__",
    "sensorName": "capture_uploads",
}


def runs(dev):
    found = collections.defaultdict(list)
    for run in dev.ask(RUNS)["runsOrError"]["results"]:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        found[tags.get("ds3d/upload")].append(run["status"])
    return found


def test_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DS3D_UPLOADS_EVERY_S", "5")
    photos = make_photos(tmp_path / "made")
    home = tmp_path / "home"
    folder = home / "uploads" / "fastest"
    folder.mkdir(parents=True)
    start = time.monotonic()
    dev = Dev(home)
    dev.wait()
    print("up", time.monotonic() - start)
    images = [np.asarray(Image.open(p)) for p in sorted(photos.iterdir())]
    write_video(folder / "clip.mp4", [i for i in images for _ in range(5)])
    shutil.copytree(photos, folder / "room")
    zip_of(photos, folder / "room.zip")
    while time.monotonic() - start < 60:
        time.sleep(5)
        print(round(time.monotonic() - start), dict(runs(dev)), flush=True)
    dev.stop()
    print("stopped", time.monotonic() - start)
    dev = Dev(home)
    dev.wait()
    while time.monotonic() - start < 150:
        time.sleep(5)
        print(round(time.monotonic() - start), dict(runs(dev)), flush=True)
    for t in dev.ask(TICKS, s=SENSOR)["sensorOrError"]["sensorState"]["ticks"]:
        print(t)
    dev.stop()
    shutil.copy(dev.log, "/tmp/watch/dev.log")
