"""`ds3d serve` as a user runs it: an upload to its end, cancels, stops and kills at every place."""

import signal
import socket
import subprocess
import time

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.captures import DS3D, environment, make_photos
from ds3d_pipeline_tests.web.homes import order, register
from ds3d_pipeline_tests.web.live import live, wait


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"), frames=6)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Another content."""
    return make_photos(tmp_path_factory.mktemp("others"), frames=7)


def running(status) -> bool:
    return status["stage"] not in (None, "capture", "keyframes")


def ended(status) -> bool:
    return status["state"] in ("finished", "failed", "cancelled")


@pytest.mark.slow
def test_an_upload_is_followed_to_its_result(tmp_path, photos):
    with live(tmp_path / "home") as server:
        job = server.upload(photos)
        messages = server.follow(job)
        assert (messages[0]["type"], messages[-1]["type"]) == ("init", "complete")
        states = list(dict.fromkeys(message["job"]["state"] for message in messages))
        assert states[-2:] == ["running", "finished"]
        fractions = [message["job"]["progress"] for message in messages]
        assert fractions == sorted(fractions)
        assert all(message["job"]["next"] or message["job"]["stage"] for message in messages[:-1])
        result = messages[-1]["result"]
        assert result["status"] in ("ok", "degraded")
        with server.client as client:
            assert client.get(result["files"]["model.glb"]["url"]).content[:4] == b"glTF"
            assert (
                client.post(
                    "/api/upload",
                    files=[("files", (path.name, path.read_bytes())) for path in sorted(photos.iterdir())],
                    data={"mode": "fastest", "name": "tiny"},
                ).status_code
                == 200
            )
        assert not [path for path in (server.home / "logs").iterdir() if path.is_file()]
        second = subprocess.run(
            [*DS3D, "serve", "--no-open"], capture_output=True, text=True, env=environment(server.home)
        )
        assert second.returncode == 2
        assert f"A server of this home runs already at http://127.0.0.1:{server.port}." in second.stderr
    assert server.process.returncode == 0


@pytest.mark.slow
def test_a_cancel_in_every_state_ends_it_and_what_is_queued_goes_on(tmp_path, photos, others):
    with live(tmp_path / "home") as server:
        accepted = server.upload(photos)
        with server.client as client:
            answer = client.post(f"/api/jobs/{accepted}/cancel").json()
            assert answer["state"] in ("cancelled", "cancelling")
            server.wait_for(accepted, ended)
            # The same content again is a new run.
            first = server.upload(photos)
            server.wait_for(first, running)
            second = server.upload(others, name="other")
            server.wait_for(second, lambda status: status["state"] in ("queued", "starting", "running"))
            client.post(f"/api/jobs/{second}/cancel")
            assert server.wait_for(second, ended)["state"] == "cancelled"
            began = time.monotonic()
            client.post(f"/api/jobs/{first}/cancel")
            assert server.wait_for(first, ended)["state"] == "cancelled"
            assert time.monotonic() - began < 60
            wait(lambda: not _programs(server.home))
            assert client.post(f"/api/jobs/{first}/again").status_code == 202
            assert server.wait_for(first, ended)["state"] == "finished"


def _programs(home) -> list[psutil.Process]:
    """Stage programs that work in this home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.startswith("ds3d_pipeline.") for word in words) and any(str(home) in w for w in words):
            found.append(process)
    return found


@pytest.mark.nightly
def test_killed_services_come_back_and_the_run_and_the_queue_go_on(tmp_path, photos, others):
    with live(tmp_path / "home") as server:
        first = server.upload(photos)
        server.wait_for(first, running)
        for word in ("grpc", "defs.daemon"):
            killed = server.service(word)
            killed.kill()
            wait(lambda old=killed, word=word: server.service(word).pid != old.pid)
        second = server.upload(others, name="other")
        assert server.wait_for(first, ended)["state"] == "finished"
        assert server.wait_for(second, ended)["state"] == "finished"
        with server.client as client:
            listed = client.get("/api/jobs").json()["jobs"]
        assert {job["job_id"] for job in listed} == {first, second}


@pytest.mark.nightly
def test_a_killed_server_takes_its_services_along_and_no_run(tmp_path, photos, others):
    home = tmp_path / "home"
    with live(home) as server:
        first = server.upload(photos)
        server.wait_for(first, running)
        run = server.status(first)["run_id"]
        second = server.upload(others, name="other")
        services = [server.service(word) for word in ("grpc", "defs.daemon")]
        server.process.kill()
        server.process.wait()
        wait(lambda: not any(service.is_running() for service in services), seconds=10)
    with live(home) as server:
        found = server.wait_for(first, ended)
        assert (found["state"], found["run_id"]) == ("finished", run)
        assert server.wait_for(second, ended)["state"] == "finished"


@pytest.mark.slow
def test_the_first_ctrl_c_waits_and_the_second_leaves_the_rest_to_the_next_start(tmp_path, photos):
    home = tmp_path / "home"
    with live(home) as server:
        job = server.upload(photos)
        server.wait_for(job, running)
        run = server.status(job)["run_id"]
        server.process.send_signal(signal.SIGINT)
        wait(lambda: "1 capture goes on; press again to stop it." in server.said())
        assert server.status(job)["state"] == "running"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
        assert not _programs(home)
    with live(home) as server:
        found = server.wait_for(job, ended)
        assert found["state"] == "finished"
        assert found["run_id"] != run
        assert found["stages"][0]["state"] == "reused"


TOKEN = "a-token-that-no-log-may-have"


@pytest.mark.slow
def test_log_has_no_token(tmp_path):
    home = tmp_path / "home"
    with live(home, "--no-daemon", "--token", TOKEN) as server, server.client as client:
        assert client.get("/", params={"token": TOKEN}).status_code == 303
        assert client.get("/api/jobs").status_code == 200
        client.cookies.clear()
        for path in (f"/?token={TOKEN}x", f"/api/jobs?token={TOKEN}", f"/outputs/fox.zip?token={TOKEN}"):
            assert client.get(path).status_code == 401
        mine = {"authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/status/nothing", headers=mine).status_code == 404
        assert client.post("/api/upload", headers=mine, content=b"no form").status_code == 415
        raw = f"GET /?token={TOKEN} HTTP/9.9\r\nhost: localhost\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", server.port), 10) as wire:
            wire.sendall(raw)
            wire.recv(1000)
    # The terminal of who started it has the link, once.
    assert server.said().count(TOKEN) == 1
    logs = [path.read_bytes() for path in (home / "logs").rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in log for log in logs)


@pytest.mark.slow
def test_a_socket_takes_no_long_messages(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    register(prepare_home(), "fox")
    order(prepare_home(), "key")
    with live(tmp_path / "home", "--no-daemon") as server:
        with connect(f"ws://127.0.0.1:{server.port}/ws/fox", proxy=None) as wire:
            assert '"waiting"' in wire.recv(timeout=60)
            wire.send("x" * 100_000)
            with pytest.raises(ConnectionClosed) as closed:
                wire.recv(timeout=60)
        assert closed.value.rcvd.code == 1009
