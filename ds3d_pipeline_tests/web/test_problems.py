"""Every refusal is a cause and a remedy."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.web.problems import Problem, add_handlers, responses

RAISED = {
    "busy": Problem(503, "Eight uploads are coming in.", "Try again.", retry_after_s=4.2),
    "input": InputError("a.mp4 is empty.", "Send another."),
    "bug": ZeroDivisionError("at /home/somebody/secret"),
}


@pytest.fixture
def client():
    app = FastAPI()
    add_handlers(app)

    @app.get("/raise/{what}")
    def fail(what: str, number: int = 0) -> None:
        raise RAISED[what]

    return TestClient(app, raise_server_exceptions=False)


def test_a_problem_says_when_to_come_back(client):
    answer = client.get("/raise/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {"cause": "Eight uploads are coming in.", "remedy": "Try again."}


def test_unusable_input_is_status_422(client):
    answer = client.get("/raise/input")
    assert (answer.status_code, answer.json()["cause"]) == (422, "a.mp4 is empty.")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("POST", "/raise/busy", 405), ("GET", "/raise/busy?number=x", 422)],
)
def test_what_the_framework_refuses_is_a_cause_and_a_remedy_too(client, method, path, status):
    answer = client.request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"cause", "remedy"})


def test_a_bug_is_named_without_its_secrets(client):
    answer = client.get("/raise/bug")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_what_the_guard_refuses_is_declared_of_every_route():
    assert list(responses(404)) == [401, 403, 404, 421]
