"""Who is away hears what became of a capture: sent to a real receiver on this machine."""

import http.server
import json
import os
import threading
from pathlib import Path

import dagster as dg
import pytest

from ds3d_pipeline.defs.sensors.notify import note_of, notify_rejected
from ds3d_pipeline.execution.notifying import MISSING, Note, send
from ds3d_pipeline.intake.watched.entries import REJECTED, uploads_folder
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.homes import put_bundle


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return prepare_home()


@pytest.fixture
def received(monkeypatch):
    """What a server on this machine was sent, which DS3D_NOTIFY names."""
    pytest.importorskip("apprise")
    bodies = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("DS3D_NOTIFY", f"json://127.0.0.1:{server.server_port}/")
    yield bodies
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "reasons", "title", "kind"),
    [
        ("ok", [], "fox: finished", "success"),
        ("degraded", ["Few photos. Take more.", "No mesh."], "fox: degraded", "warning"),
        ("failed", ["The photos do not overlap. Move less."], "fox: failed", "failure"),
    ],
)
def test_status_first_reason_picture_and_link_arrive(home, received, tmp_path, status, reasons, title, kind):
    mesh = put_bundle(home, "mesh", "fox", "mesh")
    picture = Path(home.storage) / "mesh" / "fox" / mesh.data_version / "preview.jpg"
    picture.write_bytes(b"picture")
    content = {"status": status, "reasons": reasons}
    assert send(note_of(home, "fox", content, tmp_path / "fox")) == f"Sent: {title}"
    (body,) = received
    assert (body["title"], body["type"]) == (title, kind)
    assert body["message"].split("\n") == [*reasons[:1], (tmp_path / "fox" / "report.html").as_uri()]
    assert [picture["filename"] for picture in body["attachments"]] == ["preview.jpg"]


def test_a_rejected_upload_is_reported_once(home, received):
    place = uploads_folder(home) / REJECTED
    place.mkdir(parents=True)
    old, new = place / "old.mp4.txt", place / "broken.mp4.txt"
    old.write_text("Long ago.")
    os.utime(old, (1.0, 1.0))
    new.write_text("broken.mp4 cannot be read. Film again.\n")
    cursor = str(new.stat().st_mtime - 1)
    for _ in range(2):
        cursor = notify_rejected(dg.build_sensor_context(cursor=cursor)).cursor
    assert [body["message"] for body in received] == ["broken.mp4 cannot be read. Film again."]
    assert received[0]["title"] == "broken.mp4: rejected"


def test_a_receiver_that_is_away_ends_nothing_and_is_named_in_the_log(home, received, monkeypatch):
    monkeypatch.setenv("DS3D_NOTIFY", "json://127.0.0.1:1/")
    assert "could not be sent" in send(Note(capture="fox", status="ok"))
    monkeypatch.setenv("DS3D_NOTIFY", "nonsense")
    assert "1 of 1 addresses" in send(Note(capture="fox", status="ok"))
    assert received == []


def test_without_addresses_nobody_is_notified(monkeypatch):
    monkeypatch.delenv("DS3D_NOTIFY", raising=False)
    assert send(Note(capture="fox", status="ok")) == "Nobody is notified: DS3D_NOTIFY is not set."


def test_without_apprise_the_log_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("DS3D_NOTIFY", "json://127.0.0.1:1/")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert send(Note(capture="fox", status="ok")) == MISSING
