"""Where the model's file comes from: a server that speaks as Hugging Face does, and files that are not it."""

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import pytest

from ds3d_pipeline.depth.learned.models import (
    DEFAULT_MODEL,
    ModelFile,
    can_estimate,
    fetch_model,
    usable_model,
    verify_model,
    wanted_model,
)
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.errors import StageError

CONTENT = b"a model" * 1000
REVISION = "0123456789abcdef0123456789abcdef01234567"
MODEL = ModelFile(
    repository="some/depth",
    revision=REVISION,
    file="onnx/model.onnx",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)
NAMED = f"some/depth@{REVISION}:onnx/model.onnx"


class Hub(BaseHTTPRequestHandler):
    """Serves one file under the path that the Hub's clients ask for."""

    content = CONTENT

    def do_HEAD(self):
        found = self.path == f"/some/depth/resolve/{REVISION}/onnx/model.onnx"
        self.send_response(200 if found else 404)
        if found:
            self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
        else:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(self.content) if found else 0))
        self.end_headers()
        return found

    def do_GET(self):
        if self.do_HEAD():
            self.wfile.write(self.content)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    yield server
    server.shutdown()
    server.server_close()


def test_fetched_once_checked_and_kept(hub):
    path = fetch_model(MODEL)
    assert path.read_bytes() == CONTENT
    hub.shutdown()
    assert fetch_model(MODEL) == path


def test_another_content_is_refused_and_not_kept(hub, monkeypatch):
    monkeypatch.setattr(Hub, "content", CONTENT + b"!")
    with pytest.raises(StageError, match="another file: its SHA-256"):
        fetch_model(MODEL)
    assert not MODEL.path.exists()


def test_a_damaged_file_is_fetched_again(hub):
    MODEL.path.parent.mkdir(parents=True)
    MODEL.path.write_bytes(CONTENT[:100])
    assert fetch_model(MODEL).read_bytes() == CONTENT


def test_a_repository_that_is_not_there_is_named(hub):
    with pytest.raises(StageError, match="other/depth could not be fetched"):
        fetch_model(replace(MODEL, repository="other/depth"))


def test_a_run_fetches_only_when_allowed(hub):
    options = DepthOptions(model=NAMED, model_sha256=MODEL.sha256)
    assert "ds3d models fetch" in can_estimate(options)
    with pytest.raises(StageError, match="There is no depth model"):
        usable_model(options)
    allowed = replace(options, fetch_model=True)
    assert can_estimate(allowed) is None
    assert usable_model(allowed) == MODEL.path
    assert can_estimate(options) is None


def test_truncated_and_missing_files_are_told_in_one_sentence():
    with pytest.raises(StageError) as missing:
        verify_model(MODEL)
    assert missing.value.remedy == "Run `ds3d models fetch`."
    MODEL.path.parent.mkdir(parents=True)
    MODEL.path.write_bytes(CONTENT[:-1])
    with pytest.raises(StageError) as cut:
        verify_model(MODEL)
    assert "damaged" in cut.value.cause


def test_what_the_options_name(tmp_path):
    assert wanted_model(DepthOptions()) is DEFAULT_MODEL
    named = wanted_model(DepthOptions(model=NAMED, model_sha256=MODEL.sha256.upper()))
    assert named == MODEL
    own = wanted_model(DepthOptions(model=str(tmp_path / "own.onnx")))
    assert own.path == tmp_path / "own.onnx"
    assert "depth_maps.model" in can_estimate(DepthOptions(model=str(tmp_path / "own.onnx")))
