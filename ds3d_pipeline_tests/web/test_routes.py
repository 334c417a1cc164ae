"""Status, result, files and sockets of a real server over HTTP."""

import io
import json
import zipfile

import dagster as dg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.web.homes import add_run, finish, order, register
from ds3d_pipeline_tests.web.servers import serving

STATUS = dg.DagsterRunStatus


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server with a finished, a running and a waiting capture, and the finished folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(tmp_path_factory.mktemp("routes") / "home"))
        patch.delenv("DS3D_OUTPUTS", raising=False)
        home = prepare_home()
        for capture in ("fox", "hare", "owl"):
            register(home, capture)
        order(home, "key-owl", "owl")
        folder = finish(home)
        (folder / "mine.txt").write_text("mine")
        with dg.DagsterInstance.get() as instance:
            add_run(instance, "one", STATUS.SUCCESS, "fox")
            add_run(instance, "two", STATUS.STARTED, "hare")
            with serving(home.root) as server:
                yield server, folder, instance


@pytest.fixture(scope="module")
def client(place):
    return place[0].client


def messages(server, job):
    """All messages of a socket until it is closed, and the code it is closed with."""
    found = []
    with connect(f"ws://127.0.0.1:{server.port}/ws/{job}", proxy=None) as socket:
        try:
            while True:
                found.append(json.loads(socket.recv(timeout=20)))
        except ConnectionClosed as closed:
            return found, closed.rcvd.code


def test_every_capture_is_listed_a_page_at_a_time(client):
    first = client.get("/api/jobs", params={"limit": 2}).json()
    rest = client.get("/api/jobs", params={"limit": 2, "before": first["next"]}).json()
    assert {job["job_id"] for job in first["jobs"] + rest["jobs"]} == {"fox", "hare", "owl"}
    assert rest["next"] is None


@pytest.mark.parametrize(
    "params", [{"before": "x"}, {"limit": 0}, {"limit": "many"}, {"before": "x~" * 200}, {"before": "~"}]
)
def test_a_page_that_is_none_is_refused(client, params):
    answer = client.get("/api/jobs", params=params)
    assert (answer.status_code, set(answer.json())) == (422, {"cause", "remedy"})


def test_a_status_says_what_a_capture_is_doing(client):
    assert client.get("/api/status/hare").json()["state"] == "running"
    assert client.get("/api/status/owl").json()["queue"] == {"position": 1, "of": 1}
    assert client.get("/api/status/nobody").status_code == 404


def test_a_result_is_there_once_the_run_has_ended(client):
    answer = client.get("/api/result/hare")
    assert (answer.status_code, answer.json()["state"]) == (409, "running")
    found = client.get("/api/result/fox").json()
    assert found["preview"] == {"mesh": "/outputs/fox/model.glb", "splat": "/api/preview/fox.spz"}
    assert found["report_url"] == "/outputs/fox/report.html"
    assert found["stored_bytes"] > sum(file["bytes"] for file in found["files"].values())
    assert client.get("/api/result/nobody").status_code == 404


def test_every_file_of_a_result_is_served_as_it_is(client, place):
    found = client.get("/api/result/fox").json()
    for name, file in found["files"].items():
        answer = client.get(file["url"])
        assert (answer.status_code, answer.content) == (200, (place[1] / name).read_bytes()), name
    assert client.get(found["metrics_url"]).json()["capture"] == "fox"


def test_a_file_can_be_asked_for_in_parts_and_once_only(client, place):
    data = (place[1] / "model.glb").read_bytes()
    url = "/outputs/fox/model.glb"
    part = client.get(url, headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, data[4:8])
    assert client.get(url, headers={"range": "bytes=-4"}).content == data[-4:]
    several = client.get(url, headers={"range": "bytes=0-1, 4-5"})
    assert (several.status_code, several.headers["content-type"][:20]) == (206, "multipart/byteranges")
    etag = part.headers["etag"]
    again = client.get(url, headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


def test_the_head_of_a_file_has_its_size_and_no_content(client, place):
    answer = client.head("/outputs/fox/model.glb")
    size = (place[1] / "model.glb").stat().st_size
    assert (answer.status_code, answer.content) == (200, b"")
    assert (int(answer.headers["content-length"]), answer.headers["content-type"]) == (
        size,
        "model/gltf-binary",
    )


@pytest.mark.parametrize(
    "wanted", ["bytes=99999999-", "bytes=5-2", "bytes=-0", "bytes=x", "lines=1-2", "bytes=0-1,x", "bytes=-"]
)
def test_a_part_that_the_file_does_not_have_is_refused(client, wanted):
    answer = client.get("/outputs/fox/model.glb", headers={"range": wanted})
    assert (answer.status_code, set(answer.json())) == (416, {"cause", "remedy"})
    assert answer.headers["content-range"].startswith("bytes */")


@pytest.mark.parametrize(
    "path",
    ["mine.txt", ".ds3d.json", "..%2fhare", "../../dagster.yaml", "%2e%2e%2f%2e%2e%2fdagster.yaml",
     "images/../mine.txt", "images", "", "/etc/passwd", "failed/report.html", "model.glb%00.txt"],
)  # fmt: skip
def test_nothing_but_what_the_metrics_list_is_served(client, path):
    assert client.get(f"/outputs/fox/{path}").status_code == 404


def test_a_link_in_the_place_of_a_file_is_not_followed(client, place):
    file = place[1] / "pointcloud.ply"
    data = file.read_bytes()
    secret = place[1].parent.parent / "dagster.yaml"
    file.unlink()
    file.symlink_to(secret)
    try:
        assert client.get("/outputs/fox/pointcloud.ply").status_code == 404
    finally:
        file.unlink()
        file.write_bytes(data)


def test_pages_among_the_files_may_do_nothing(client):
    answer = client.get("/outputs/fox/report.html")
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert answer.headers["content-disposition"].startswith("inline")
    assert client.get("/outputs/fox/model.glb").headers["content-disposition"].startswith("attachment")


def test_the_zip_has_every_file_in_one_folder(client, place):
    answer = client.get("/outputs/fox.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {f"fox/{name}" for name in ("model.glb", "metrics.json", "report.html")} <= names
        assert "fox/mine.txt" not in names
        assert archive.read("fox/model.glb") == (place[1] / "model.glb").read_bytes()
    assert client.get("/outputs/hare.zip").status_code == 404


def test_a_socket_of_a_finished_capture_gives_the_result_and_closes(place):
    found, code = messages(place[0], "fox")
    assert [message["type"] for message in found] == ["init", "complete"]
    assert (found[1]["result"]["job_id"], code) == ("fox", 1000)


def test_a_socket_of_nobody_says_so_and_closes(place):
    (found,), code = messages(place[0], "nobody")
    assert (found["type"], code) == ("error", 4404)
    assert found["cause"].startswith("There is no capture")


def test_a_socket_follows_a_capture_to_its_end(place):
    server, _, instance = place
    with connect(f"ws://127.0.0.1:{server.port}/ws/hare", proxy=None) as socket:
        assert json.loads(socket.recv(timeout=20))["job"]["state"] == "running"
        instance.report_run_canceling(instance.get_run_by_id("two"))
        assert json.loads(socket.recv(timeout=20))["job"]["state"] == "cancelling"
        instance.report_run_canceled(instance.get_run_by_id("two"))
        last = json.loads(socket.recv(timeout=20))
    assert (last["type"], last["job"]["state"]) == ("error", "cancelled")


@pytest.mark.parametrize("body", [{"mode": "best"}, {"from": "meshes"}, {"model": "http://x"}, [1], "x"])
def test_changes_that_do_not_exist_are_refused(client, body):
    answer = client.post("/api/jobs/fox/again", json=body)
    assert (answer.status_code, set(answer.json())) == (422, {"cause", "remedy"})


def test_again_cancel_and_delete_go_all_the_way(client):
    assert client.post("/api/jobs/owl/again").status_code == 409
    assert client.delete("/api/jobs/owl").status_code == 409
    answer = client.post("/api/jobs/owl/cancel")
    assert (answer.status_code, answer.json()) == (202, {"job_id": "owl", "state": "cancelled"})
    assert client.post("/api/jobs/owl/cancel").status_code == 409
    answer = client.post("/api/jobs/owl/again", json={"mode": "quality", "from": "mesh"})
    assert (answer.status_code, answer.json()["mode"]) == (202, "quality")
    client.post("/api/jobs/owl/cancel")
    assert client.delete("/api/jobs/owl").status_code == 204
    assert client.get("/api/status/owl").status_code == 404
