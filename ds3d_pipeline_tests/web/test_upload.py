"""`POST /api/upload` of a real server: from a form to a capture with an order."""

import contextlib
import io
import socket
import sys
import time
import zipfile

import pytest

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.intake.orders import drop_order, orders
from ds3d_pipeline.intake.request import run_key_of
from ds3d_pipeline.storage.home import find_home, outputs_folder
from ds3d_pipeline.storage.registrations import registered_request
from ds3d_pipeline.web.settings import Limits
from ds3d_pipeline_tests.intake.watched.folder import put_photos, put_video
from ds3d_pipeline_tests.web.forms import FORM_TYPE, file_part, form
from ds3d_pipeline_tests.web.servers import serving
from ds3d_pipeline_tests.web.waiting import wait_until


def photos_of(folder):
    return [("files", (path.name, path.read_bytes())) for path in sorted(folder.iterdir())]


def send(server, files, **fields):
    return server.client.post("/api/upload", files=files, data=fields)


@pytest.fixture
def photos(tmp_path):
    return photos_of(put_photos(tmp_path / "taken"))


def received(server):
    return sorted(path.name for path in (server.home / "received").iterdir())


def test_photos_become_a_capture_with_an_order(server, photos):
    answer = send(server, photos, mode="fastest", name="My Fox")
    told = answer.json()
    job = told.pop("job_id")
    assert (answer.status_code, job[:7]) == (202, "my-fox-")
    assert told == {
        "mode": "fastest",
        "state": "accepted",
        "new": True,
        "skipped": [],
        "status_url": f"/api/status/{job}",
        "result_url": f"/api/result/{job}",
        "socket_url": f"/ws/{job}",
    }
    (order,) = orders(find_home())
    content = registered_request(find_home(), job).content
    assert order.run_key == run_key_of(content.sha256, "fastest", {})
    asked = order.request
    assert (asked.capture, asked.mode, asked.source, asked.upload) == (job, "fastest", "page", "My Fox")
    assert asked.output == outputs_folder(find_home())
    assert received(server) == [job]
    assert [file.name for file in content.files] == [name for _, (name, _) in photos]


@pytest.mark.skipif(sys.platform == "win32", reason="read-only files cannot be deleted there")
def test_nobody_writes_to_what_was_received(server, photos):
    job = send(server, photos).json()["job_id"]
    files = list((server.home / "received" / job).iterdir())
    assert files
    assert {path.stat().st_mode & 0o222 for path in files} == {0}


def test_the_same_files_of_the_command_line_are_the_same_capture(server, photos, tmp_path):
    job = send(server, photos, name="taken").json()["job_id"]
    assert accept([tmp_path / "taken"], CaptureOptions()).capture == job


def test_the_same_content_again_is_not_new(server, photos):
    first = send(server, photos, mode="fastest").json()
    answer = send(server, list(reversed(photos)), mode="fastest", name="other")
    assert answer.status_code == 200
    assert answer.json() == first | {"new": False, "state": answer.json()["state"]}
    assert len(orders(find_home())) == 1
    assert received(server) == [first["job_id"]]


def test_the_same_content_in_another_mode_is_a_new_run_of_the_same_capture(server, photos):
    first = send(server, photos, mode="fastest").json()
    second = send(server, photos, mode="quality")
    assert (second.status_code, second.json()["job_id"]) == (202, first["job_id"])
    assert [order.request.mode for order in orders(find_home())] == ["fastest", "quality"]
    assert len({order.run_key for order in orders(find_home())}) == 2


def test_the_same_content_after_it_was_cancelled_runs_again(server, photos):
    first = send(server, photos, mode="fastest").json()
    (order,) = orders(find_home())
    drop_order(find_home(), order.run_key)
    answer = send(server, photos, mode="fastest")
    assert (answer.status_code, answer.json()["job_id"]) == (202, first["job_id"])
    (again,) = orders(find_home())
    assert again.run_key != order.run_key


def test_a_capture_of_another_door_is_known(server, tmp_path, photos):
    own = accept([tmp_path / "taken"], CaptureOptions(), "by-hand").capture
    assert send(server, photos, mode="fastest").json()["job_id"] == own
    assert received(server) == []


def test_files_of_one_name_are_all_kept(server, photos):
    same = [("files", ("image.jpg", data)) for _, (_, data) in photos]
    job = send(server, same).json()["job_id"]
    assert len(registered_request(find_home(), job).content.usable) == len(photos)


def test_a_video_is_taken(server, tmp_path):
    video = put_video(tmp_path / "Mein Clip.mp4")
    told = send(server, [("files", ("Mein Clip.mp4", video.read_bytes()))]).json()
    assert told["job_id"].startswith("mein-clip-")
    assert told["mode"] == "balanced"


def test_a_photo_that_is_left_out_is_named(server, photos):
    told = send(server, [*photos, ("files", ("broken.jpg", b"no photo"))]).json()
    assert [sentence for sentence in told["skipped"] if "broken.jpg" in sentence]


def zip_bomb():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(100_000_000))
    return data.getvalue()


def zip_with(name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, b"x")
    return data.getvalue()


UNUSABLE = {
    "broken.mp4": b"no video" * 400,
    "half.mp4": b"\0\0\0\x18ftypmp42" + bytes(3000),
    "empty.mp4": b"",
    "broken.jpg": b"no photo",
    "empty.zip": b"",
    "bomb.zip": zip_bomb(),
    "outside.zip": zip_with("../../etc/passwd"),
    "absolute.zip": zip_with("/etc/passwd"),
    "notes.txt": b"hello",
    "noname": b"hello",
    "<img src=x onerror=alert(1)>.mp4": b"no video",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_no_paths_in_errors(server, name):
    answer = send(server, [("files", (name, UNUSABLE[name]))])
    assert answer.status_code == 422
    assert set(answer.json()) == {"cause", "remedy"}
    assert str(server.home) not in answer.text
    assert "received" not in answer.text
    assert "/" not in answer.json()["cause"].replace("/etc/passwd", "").replace("../..", "")
    assert (received(server), orders(find_home())) == ([], [])


def test_zip_bomb(server):
    answer = send(server, [("files", ("bomb.zip", zip_bomb()))])
    assert "times its size" in answer.json()["cause"]


def test_two_videos_are_no_capture(server, tmp_path):
    data = put_video(tmp_path / "clip.mp4").read_bytes()
    answer = send(server, [("files", ("a.mp4", data)), ("files", ("b.mp4", data))])
    assert (answer.status_code, "two videos" in answer.json()["cause"]) == (422, True)


@pytest.mark.parametrize("fields", [{"mode": "best"}, {"name": "x" * 201}])
def test_unknown_modes_and_endless_names_are_refused(server, photos, fields):
    assert send(server, photos, **fields).status_code == 422
    assert received(server) == []


def test_a_form_without_files_is_refused(server):
    answer = server.client.post("/api/upload", content=form(), headers={"content-type": FORM_TYPE})
    assert (answer.status_code, answer.json()["cause"]) == (422, "No file was sent.")


def test_a_run_that_would_not_fit_on_the_disk_is_refused(server, photos, monkeypatch):
    monkeypatch.setattr("ds3d_pipeline.intake.disk_space.FIXED_BYTES", 10**18)
    answer = send(server, photos)
    assert (answer.status_code, str(server.home) in answer.text) == (507, False)
    assert received(server) == []


def begin(server, length=100_000):
    """An upload whose form begins and says nothing more."""
    wire = socket.create_connection(("127.0.0.1", server.port), 10)
    head = f"POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM_TYPE}\r\n"
    body = form(file_part("a.jpg", b"x" * 99))[:200]
    wire.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + body)
    return wire


def test_cut_upload(server):
    wire = begin(server)
    wait_until(lambda: received(server))
    assert [name for name in received(server) if not name.endswith(".part")] == []
    wire.close()
    wait_until(lambda: not received(server))


@pytest.mark.slow
def test_stalled_uploads(web_home, photos):
    limits = Limits(reserve_bytes=0, concurrent_uploads=8, wait_s=1, idle_s=3)
    with serving(web_home, limits=limits) as server, contextlib.ExitStack() as wires:
        server.client.get("/api/info")
        for _ in range(300):
            wires.enter_context(begin(server))
        wait_until(lambda: len(received(server)) == 8)
        began = time.monotonic()
        assert server.client.get("/api/info").status_code == 200
        assert time.monotonic() - began < 2
        busy = send(server, photos)
        assert (busy.status_code, int(busy.headers["retry-after"])) == (503, 5)
        wait_until(lambda: not received(server))
        assert send(server, photos).status_code == 202


def test_halves_are_removed_at_the_next_start(web_home):
    half = web_home / "received" / "0123.part"
    half.mkdir(parents=True)
    (half / "a.jpg").write_bytes(b"x")
    with serving(web_home) as server:
        assert received(server) == []


def test_a_capture_whose_files_are_gone_gets_those_that_are_sent(server, tmp_path, photos):
    own = accept([tmp_path / "taken"], CaptureOptions(), "by-hand").capture
    for path in (tmp_path / "taken").iterdir():
        path.unlink()
    assert send(server, photos).json()["job_id"] == own
    assert received(server) == [own]
    files = registered_request(find_home(), own).paths
    assert {path.parent for path in files} == {server.home / "received" / own}
