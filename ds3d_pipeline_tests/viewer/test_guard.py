"""The viewer answers this machine's own page only."""

import http.client

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ds3d_pipeline.viewer.finished import read_exhibit
from ds3d_pipeline.viewer.guard import is_own
from ds3d_pipeline.viewer.server import start_viewer, stop_viewer
from ds3d_pipeline_tests.finished import publish_finished

FORBIDDEN, FOUND = 403, 200


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Of a running viewer."""
    server = start_viewer(read_exhibit(publish_finished(tmp_path_factory.mktemp("finished"))), 8500)
    yield server.get_port()
    stop_viewer(server)


def get(port: int, host: str, origin: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", "/", skip_host=True)
    connection.putheader("Host", host.format(port=port))
    if origin:
        connection.putheader("Origin", origin.format(port=port))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:{port}", None, FOUND),
        ("localhost:{port}", "http://localhost:{port}", FOUND),
        ("127.0.0.1:{port}", "http://evil.example", FORBIDDEN),
        ("127.0.0.1:{port}", "null", FORBIDDEN),
        ("evil.example:{port}", None, FORBIDDEN),
        ("127.0.0.1", None, FORBIDDEN),
        ("127.0.0.1.evil.example:{port}", None, FORBIDDEN),
    ],
)
@pytest.mark.fault("viewer from elsewhere")
def test_only_requests_to_this_address_and_from_its_page_are_answered(port, host, origin, status):
    assert get(port, host, origin) == status


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"]
)
@pytest.mark.fault("viewer from elsewhere")
def test_the_scene_is_not_sent_to_other_pages(port, origin):
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(f"ws://127.0.0.1:{port}", origin=origin.format(port=port)),
    ):
        pass
    assert caught.value.response.status_code == FORBIDDEN


def test_the_scene_is_sent_to_its_own_page(port):
    import viser

    protocol = f"viser-v{viser.__version__}"
    origin = f"http://127.0.0.1:{port}"
    with connect(f"ws://127.0.0.1:{port}", origin=origin, subprotocols=[protocol], max_size=None) as socket:
        assert len(socket.recv(timeout=20)) > 0


def test_a_request_with_two_hosts_is_not_ours():
    headers = Headers([("Host", "127.0.0.1:8080"), ("Host", "evil.example")])
    assert not is_own(headers, 8080)
    assert is_own(Headers({"Host": "localhost"}), 80)
