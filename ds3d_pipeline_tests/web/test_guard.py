"""Who may speak to the server: every line of the table of threats, against a real one."""

import json
import socket

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ds3d_pipeline.web.guard import HEADERS
from ds3d_pipeline.web.settings import WebSettings
from ds3d_pipeline_tests.web.forms import FORM_TYPE

PATHS = ("/", "/api/info", "/api/openapi.json", "/page/page.js", "/outputs/fox/model.glb", "/api/upload")


def raw(server, head):
    """The status and the body of what is answered to these lines."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as wire:
        wire.sendall(head.encode("latin-1") + b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


def test_listens_on_loopback_only_unless_it_is_told_otherwise(tmp_path):
    assert WebSettings(home=tmp_path).host == "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "evil.com:8000",
        "",
        "127.0.0.1:x",
        "127.0.0.1 evil.com",
        "user@127.0.0.1",
        "127.0.0.1/",
        "localhost.",
        "[::2]",
        "::1",
    ],
)
def test_foreign_host(server, host):
    status, body = raw(server, f"GET /api/info HTTP/1.1\r\nHost: {host}\r\n")
    assert status in (400, 421)
    assert host == "" or host.encode() not in body


def test_two_hosts_are_none(server):
    head = f"GET /api/info HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nHost: evil.example\r\n"
    assert raw(server, head)[0] in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "localhost:1234"])
def test_its_own_names_are_known_whatever_the_port(server, host):
    assert raw(server, f"GET /api/info HTTP/1.1\r\nHost: {host}\r\n")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://127.0.0.1.evil.com",
        "http://127.0.0.1:1",
        "https://localhost",
        "",
    ],
)
def test_foreign_origin(server, method, origin):
    answer = server.client.request(method, "/api/upload", headers={"origin": origin})
    assert answer.status_code == 403
    assert set(answer.json()) == {"cause", "remedy"}


def test_the_own_origin_may_send(server):
    answer = server.client.post("/api/upload", headers={"origin": server.origin}, content=b"x")
    assert answer.status_code == 415


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_not_send(server, site):
    answer = server.client.post("/api/upload", headers={"sec-fetch-site": site}, content=b"x")
    assert answer.status_code == 403


def test_a_method_that_is_only_written_in_a_header_is_no_way_around_the_origin(server):
    headers = {"x-http-method-override": "DELETE", "origin": "http://evil.example"}
    assert server.client.get("/api/uploads/1", headers=headers).status_code == 403


def test_no_other_origin_may_read(server):
    answer = server.client.get("/api/info", headers={"origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    assert server.client.options("/api/upload", headers=asked).status_code == 405


@pytest.mark.parametrize("origin", ["null", "http://evil.example"])
def test_socket_origin(server, origin):
    with pytest.raises(InvalidStatus) as raised, connect(f"ws://127.0.0.1:{server.port}/ws/x", origin=origin):
        pass
    assert raised.value.response.status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer wrong"}, {"cookie": "ds3d_token=right"}])
def test_lan_needs_token(closed, path, given):
    answer = closed.client.get(path, headers=given)
    assert answer.status_code == 401
    assert "right" not in answer.text


def test_a_body_without_token_is_not_read(closed):
    head = f"POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM_TYPE}\r\n"
    status, body = raw(closed, head + "Content-Length: 1000000000\r\n")
    assert (status, set(json.loads(body))) == (401, {"cause", "remedy"})
    assert list((closed.home / "received").iterdir()) == []


@pytest.mark.parametrize("value", ["Bearer right", "bearer right"])
def test_the_token_in_a_header_opens_everything(closed, value):
    assert closed.client.get("/api/info", headers={"authorization": value}).status_code == 200


def test_the_printed_link_becomes_a_cookie_and_an_address_without_token(closed):
    answer = closed.client.get("/?token=right")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"ds3d_token_{closed.port}=right;")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert closed.client.get("/api/info").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/info?token=right", "/page/page.js?token=right", "/index.html?token=right"]
)
def test_token_in_query_only_at_root(closed, path):
    assert closed.client.get(path).status_code == 401


@pytest.mark.parametrize("token", ["wrong", "", "righ", "right2", "%ff", "%C3%A4"])
def test_a_wrong_link_is_refused(closed, token):
    answer = closed.client.get(f"/?token={token}")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_socket_needs_the_token_too(closed):
    with pytest.raises(InvalidStatus) as raised, connect(f"ws://127.0.0.1:{closed.port}/ws/x"):
        pass
    assert raised.value.response.status_code == 401


def test_page_policy(server):
    answer = server.client.get("/api/info")
    policy = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe-" not in str(policy)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_refusals_have_the_headers_too(closed):
    answer = closed.client.get("/api/info")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (401, "nosniff")


FORMS_OF_UP = (
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..\\",
    "..%5c",
    "%252e%252e%252f",
    "..%c0%af",
    "....//",
    "..;/",
    "/",
    "%00../",
)
ROOTS = (
    "/",
    "/page/",
    "/outputs/",
    "/outputs/fox/",
    "/api/status/",
    "/api/result/",
    "/api/preview/",
    "/api/uploads/",
)


@pytest.mark.parametrize("up", FORMS_OF_UP)
@pytest.mark.parametrize("root", ROOTS)
def test_no_path_leads_outside(server, root, up):
    (server.home.parent / "secret.txt").write_text("the secret")
    for depth in (1, 2, 3, 8):
        for name in ("secret.txt", "dagster.yaml", str(server.home.parent / "secret.txt")[1:]):
            head = f"GET {root}{up * depth}{name} HTTP/1.1\r\nHost: localhost\r\n"
            status, body = raw(server, head)
            assert status in (400, 404, 405, 422), (root, up, depth, name)
            assert b"the secret" not in body
            assert b"run_coordinator" not in body
