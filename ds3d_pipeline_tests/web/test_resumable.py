"""Resumable uploads of a real server, spoken to as tus 1.0 says."""

import base64
import os
import socket
import time

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.intake.orders import orders
from ds3d_pipeline.storage.home import find_home
from ds3d_pipeline.storage.registrations import registered_request
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.resumable import Resumables, read_metadata
from ds3d_pipeline.web.settings import Limits
from ds3d_pipeline_tests.intake.watched.folder import put_photos, put_video
from ds3d_pipeline_tests.web.servers import serving
from ds3d_pipeline_tests.web.waiting import wait_until

TUS = {"tus-resumable": "1.0.0"}
BYTES = TUS | {"content-type": "application/offset+octet-stream"}


def metadata(**texts):
    return ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in texts.items())


def begin(server, size, name="clip.mp4"):
    """Where its bytes go."""
    headers = TUS | {"upload-length": str(size), "upload-metadata": metadata(filename=name)}
    answer = server.client.post("/api/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def offset(server, place):
    return int(server.client.head(place, headers=TUS).headers["upload-offset"])


def go_on(server, place, at, data):
    return server.client.patch(place, headers=BYTES | {"upload-offset": str(at)}, content=data)


def upload(server, name, data):
    """The id of a finished one."""
    place = begin(server, len(data), name)
    assert go_on(server, place, 0, data).status_code == 204
    return place.rpartition("/")[2]


def commit(server, *ids, **fields):
    return server.client.post("/api/uploads/commit", json={"ids": list(ids), **fields})


def half_sent(server, place, data, length):
    """A connection on which the rest of a PATCH never comes."""
    wire = socket.create_connection(("127.0.0.1", server.port), 10)
    lines = {**BYTES, "host": "localhost", "upload-offset": "0", "content-length": str(length)}
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    wire.sendall(f"PATCH {place} HTTP/1.1\r\n{head}\r\n".encode() + data)
    wait_until(lambda: offset(server, place) == len(data))
    return wire


@pytest.fixture
def clip(tmp_path):
    return put_video(tmp_path / "clip.mp4").read_bytes()


def test_what_is_spoken_is_said(server):
    answer = server.client.options("/api/uploads")
    assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
    assert answer.headers["tus-extension"] == "creation,termination"
    assert answer.headers["tus-max-size"] == "20000000000"


def test_a_video_in_pieces_becomes_a_capture(server, clip):
    place = begin(server, len(clip))
    for at in range(0, len(clip), 700):
        answer = go_on(server, place, at, clip[at : at + 700])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(min(at + 700, len(clip))))
    answer = commit(server, place.rpartition("/")[2], mode="fastest", name="Fox")
    job = answer.json()["job_id"]
    assert (answer.status_code, job[:4]) == (202, "fox-")
    (file,) = registered_request(find_home(), job).content.files
    assert (file.name, file.bytes) == ("clip.mp4", len(clip))
    assert [order.request.capture for order in orders(find_home())] == [job]


def test_photos_become_one_capture(server, tmp_path):
    photos = sorted(put_photos(tmp_path / "photos").iterdir())
    ids = [upload(server, "image.png", path.read_bytes()) for path in photos]
    job = commit(server, *ids).json()["job_id"]
    assert len(registered_request(find_home(), job).content.usable) == len(photos)


def test_committing_once_more_has_the_same_answer(server, clip):
    name = upload(server, "clip.mp4", clip)
    first, second = commit(server, name), commit(server, name)
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert len(orders(find_home())) == 1


def test_what_has_come_in_stays_where_the_connection_is_cut(server, clip):
    place = begin(server, len(clip))
    half_sent(server, place, clip[:1000], len(clip)).close()
    assert offset(server, place) == 1000
    assert go_on(server, place, 1000, clip[1000:]).status_code == 204
    assert commit(server, place.rpartition("/")[2]).status_code == 202


def test_a_phone_that_comes_back_needs_not_wait_for_its_first_request(server, clip):
    place = begin(server, len(clip))
    wire = half_sent(server, place, clip[:1000], len(clip))
    began = time.monotonic()
    assert go_on(server, place, 1000, clip[1000:]).status_code == 204
    assert time.monotonic() - began < 5
    assert wire.recv(100).startswith(b"HTTP/1.1 409")
    wire.close()


def test_an_upload_survives_the_server(web_home, clip):
    with serving(web_home) as server:
        place = begin(server, len(clip))
        go_on(server, place, 0, clip[:1000])
    with serving(web_home) as server:
        assert offset(server, place) == 1000
        go_on(server, place, 1000, clip[1000:])
        assert commit(server, place.rpartition("/")[2]).status_code == 202


def test_a_wrong_offset_is_told_the_right_one(server, clip):
    place = begin(server, len(clip))
    answer = go_on(server, place, 5, b"x")
    assert (answer.status_code, answer.json()["cause"]) == (409, "0 bytes have come in.")


def test_more_bytes_than_announced_are_refused(server):
    place = begin(server, 10)
    assert go_on(server, place, 0, b"x" * 11).status_code == 413
    assert offset(server, place) <= 10


def test_an_unfinished_upload_is_no_capture(server, clip):
    place = begin(server, len(clip))
    go_on(server, place, 0, clip[:1000])
    assert commit(server, place.rpartition("/")[2]).status_code == 409
    assert offset(server, place) == 1000


def test_unusable_uploads_are_removed(server):
    name = upload(server, "broken.mp4", b"no video" * 400)
    answer = commit(server, name)
    assert (answer.status_code, str(server.home) in answer.text) == (422, False)
    assert list((server.home / "received").iterdir()) == []


def test_an_upload_can_be_given_up(server, clip):
    place = begin(server, len(clip))
    assert server.client.delete(place, headers=TUS).status_code == 204
    assert server.client.head(place, headers=TUS).status_code == 404
    assert list((server.home / "received").iterdir()) == []


def test_a_file_without_bytes_is_complete_at_once(server):
    assert offset(server, begin(server, 0)) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 422),
        ({"tus-resumable": "1.0.0"}, 422),
        ({"tus-resumable": "0.2.2", "upload-length": "5"}, 412),
        (TUS | {"upload-length": "-5"}, 422),
        (TUS | {"upload-length": "x"}, 422),
        (TUS | {"upload-length": "9" * 5000}, 422),
        (TUS | {"upload-length": "20000000001"}, 413),
        (TUS | {"upload-length": "5", "upload-metadata": "filename not-base64!"}, 400),
        (TUS | {"upload-length": "5", "upload-metadata": "filename /w=="}, 400),
    ],
)
def test_what_is_no_tus_is_refused(server, headers, status):
    answer = server.client.post("/api/uploads", headers=headers)
    assert (answer.status_code, set(answer.json())) == (status, {"cause", "remedy"})


@pytest.mark.parametrize(
    "name", ["0" * 32, "0" * 31, "..%2f..%2fx", "%2e%2e", "x.tus", "0" * 32 + "%00", "..%5c" + "0" * 32]
)
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_unknown_uploads_are_not_found(server, method, name):
    answer = server.client.request(method, f"/api/uploads/{name}", headers=BYTES | {"upload-offset": "0"})
    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["../../x", "0" * 32, ""])
def test_unknown_uploads_are_no_capture(server, name):
    assert commit(server, name).status_code == 404


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["x"], "config": {}}, [], "x"])
def test_what_is_no_commit_is_refused(server, body):
    assert server.client.post("/api/uploads/commit", json=body).status_code == 422


def test_another_kind_of_body_is_refused(server):
    place = begin(server, 5)
    answer = server.client.patch(place, headers=TUS | {"upload-offset": "0"}, content=b"x")
    assert answer.status_code == 415


def test_an_endless_commit_is_not_read(server):
    answer = server.client.post("/api/uploads/commit", content=b"[" * 2_000_000)
    assert answer.status_code in (400, 413)


def test_a_body_is_not_written_before_the_token_is_known(closed):
    made = closed.client.post(
        "/api/uploads", headers=TUS | {"upload-length": "9", "authorization": "Bearer right"}
    )
    place = made.headers["location"]
    assert go_on(closed, place, 0, b"x" * 9).status_code == 401
    known = closed.client.head(place, headers=TUS | {"authorization": "Bearer right"})
    assert known.headers["upload-offset"] == "0"


def test_resumable_uploads_are_counted_too(web_home):
    with serving(web_home, limits=Limits(reserve_bytes=0, concurrent_uploads=1, wait_s=0.5)) as server:
        first, second = begin(server, 50), begin(server, 50)
        wire = half_sent(server, first, b"x", 50)
        assert go_on(server, second, 0, b"x").status_code == 503
        assert go_on(server, first, 1, b"x").status_code == 204
        wire.close()


@pytest.fixture
def hours():
    """A clock that is set by hand."""
    return [0.0]


@pytest.fixture
def uploads(tmp_path, hours):
    return Resumables(tmp_path, lambda: hours[0] * 3600)


def look(uploads, hours, number):
    """Tidies up once an hour."""
    for _ in range(number):
        hours[0] += 1.01
        uploads.tidy()


def test_uploads_that_nobody_goes_on_with_are_removed(uploads, hours, tmp_path):
    old = uploads.create(5, {})
    look(uploads, hours, 60)
    kept = uploads.create(5, {})
    uploads.data(old).write_bytes(b"x")
    look(uploads, hours, 60)
    assert {path.stem for path in tmp_path.iterdir()} == {old.id, kept.id}
    look(uploads, hours, 20)
    assert {path.stem for path in tmp_path.iterdir()} == set()


def test_a_clock_that_is_set_takes_no_upload_from_anybody(uploads, hours):
    made = uploads.create(5, {})
    for path in (uploads.data(made), uploads.data(made).parent):
        os.utime(path, (0, 0))
    look(uploads, hours, 3)
    assert uploads.find(made.id) == made


def test_the_hours_count_on_after_a_start_of_the_server(tmp_path, uploads, hours):
    uploads.create(5, {})
    look(uploads, hours, 40)
    later = Resumables(tmp_path, lambda: hours[0] * 3600)
    look(later, hours, 40)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def hasty(web_home):
    """A server that does not leave it to the tab for long."""
    with serving(web_home, limits=Limits(reserve_bytes=0, absent_s=0.3)) as server:
        yield server


def announced(server, data, file, count, **more):
    """The id of a finished upload whose client says how many there are."""
    about = metadata(filename=file, group="g" * 32, count=str(count), **more)
    headers = TUS | {"upload-length": str(len(data)), "upload-metadata": about}
    place = server.client.post("/api/uploads", headers=headers).headers["location"]
    assert go_on(server, place, 0, data).status_code == 204
    return place.rpartition("/")[2]


def test_where_the_tab_dies_after_the_last_byte_the_server_makes_the_capture(hasty, clip):
    name = announced(hasty, clip, "clip.mp4", 1, mode="fastest", name="My fox")
    wait_until(lambda: orders(find_home()))
    (order,) = orders(find_home())
    assert (order.request.mode, order.request.upload) == ("fastest", "My fox")
    # A tab that comes back all the same has the answer to its own request.
    answer = commit(hasty, name, mode="fastest", name="My fox")
    assert (answer.status_code, answer.json()["job_id"]) == (202, order.request.capture)
    assert len(orders(find_home())) == 1


def test_what_a_killed_server_had_received_whole_is_taken_up(web_home, clip):
    with serving(web_home) as server:
        announced(server, clip, "clip.mp4", 1)
        assert not orders(find_home())
    with serving(web_home, limits=Limits(reserve_bytes=0, absent_s=0.3)):
        wait_until(lambda: orders(find_home()))


def test_files_are_waited_for_until_all_that_were_announced_are_there(hasty, tmp_path):
    photos = sorted(put_photos(tmp_path / "photos").iterdir())
    for number, path in enumerate(photos):
        time.sleep(0.4)
        assert not orders(find_home()), number
        announced(hasty, path.read_bytes(), path.name, len(photos))
    wait_until(lambda: orders(find_home()))
    job = orders(find_home())[0].request.capture
    assert len(registered_request(find_home(), job).content.usable) == len(photos)


def test_what_cannot_be_used_is_said_to_the_tab_that_comes_back(hasty):
    name = announced(hasty, b"no video" * 400, "broken.mp4", 1)
    received = hasty.home / "received"
    wait_until(lambda: not list(received.glob("*/data")))
    answer = commit(hasty, name)
    assert (answer.status_code, set(answer.json())) == (422, {"cause", "remedy"})
    assert list(received.iterdir()) == []


def test_uploads_of_which_nobody_says_how_many_they_are_wait_for_a_request(hasty, clip):
    upload(hasty, "clip.mp4", clip)
    time.sleep(1.5)
    assert not orders(find_home())


def test_the_length_on_the_disk_is_the_truth(tmp_path):
    uploads = Resumables(tmp_path)
    made = uploads.create(50, {"filename": "a.mp4"})
    uploads.data(made).write_bytes(b"x" * 7)
    assert Resumables(tmp_path).offset(Resumables(tmp_path).find(made.id)) == 7


def test_the_latest_writer_wins(tmp_path):
    uploads = Resumables(tmp_path)
    made = uploads.create(5, {})
    ended = []

    async def write(name, for_s):
        try:
            async with uploads.alone(made):
                await anyio.sleep(for_s)
                ended.append(name)
        except Problem as problem:
            ended.append(f"{name} {problem.status}")

    async def run():
        async with anyio.create_task_group() as group:
            group.start_soon(write, "first", 60)
            await anyio.sleep(0.01)
            group.start_soon(write, "second", 60)
            await anyio.sleep(0.01)
            group.start_soon(write, "third", 0)

    anyio.run(run)
    assert ended == ["first 409", "second 409", "third"]


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.text(max_size=30)))
def test_metadata_comes_back(texts):
    sendable = {key: text.encode(errors="replace").decode() for key, text in texts.items()}
    assert read_metadata(metadata(**sendable)) == sendable
