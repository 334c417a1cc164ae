"""The declaration of the API: whatever is sent, the answer is one that it declares, and no error of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ds3d_pipeline_tests
from ds3d_pipeline_tests.intake.watched.folder import put_photos
from ds3d_pipeline_tests.web import tus_bodies

ROOT = Path(ds3d_pipeline_tests.__file__).parents[1]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
WORDS = f"""--checks {",".join(CHECKS)} --phases examples,coverage,fuzzing --max-examples 30 --seed 1
--no-color --continue-on-failure --generation-database none""".split()


@pytest.mark.slow
def test_every_answer_is_declared(server, tmp_path):
    photos = [("files", (path.name, path.read_bytes())) for path in put_photos(tmp_path / "p").iterdir()]
    assert server.client.post("/api/upload", files=photos).status_code == 202
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{server.origin}/api/openapi.json", *WORDS],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": tus_bodies.__name__},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
