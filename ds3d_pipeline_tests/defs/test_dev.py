"""`dagster dev` on a home that the command line has used, asked as the UI asks: through GraphQL."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline_tests.captures import environment, run_ds3d

pytestmark = pytest.mark.slow

LIGHT = {
    "depth_maps": {"config": {"max_side_px": 256}},
    "mesh": {"config": {"poisson_depth": 7, "texture_px": 512}},
    "splat": {"config": {"train": False}},
}
"""Options with which even `quality` is soon done."""
ROOT = Path(__file__).parents[2]
CAPTURE = "dev-run"
REPOSITORIES = "query { repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
RUNS = """query { runsOrError { ... on Runs { results { runId status tags { key value } runConfigYaml
  pipelineName assetSelection { path } repositoryOrigin { repositoryName repositoryLocationName } } } } }"""
MATERIALIZATION = """query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations { runId partition metadataEntries { label } } } } }"""
LAUNCH = """mutation ($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
REEXECUTE = """mutation ($p: ReexecutionParams, $e: ExecutionParams) {
  launchRunReexecution(reexecutionParams: $p, executionParams: $e) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STEPS = """query ($id: ID!) { runOrError(runId: $id) { ... on Run {
  stepStats { stepKey status } assetMaterializations { assetKey { path } } } } }"""
CHECKS = """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name blocking
    executionForLatestMaterialization { status evaluation { success severity description } } } } } } } }"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dev:
    """A running `dagster dev`."""

    def __init__(self, home: Path, *words: str) -> None:
        self.port = free_port()
        self.log = home.parent / "dev.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dagster", "dev", "-p", str(self.port), "-h", "127.0.0.1", *words],
                cwd=ROOT,
                env=environment(home),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ask(self, query: str, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def wait(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            with contextlib.suppress(OSError):
                if self.ask(REPOSITORIES)["repositoriesOrError"]["nodes"]:
                    return
            time.sleep(0.5)
        raise AssertionError("dagster dev did not come up")

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def launch(
        self, job: str, run_config: dict, *, capture=CAPTURE, location="ds3d_pipeline.definitions"
    ) -> str:
        selector = {
            "repositoryLocationName": location,
            "repositoryName": "__repository__",
            "jobName": job,
        }
        tags = [{"key": "dagster/partition", "value": capture}]
        params = {
            "selector": selector,
            "runConfigData": run_config,
            "executionMetadata": {"tags": tags},
            "mode": "default",
        }
        told = self.ask(LAUNCH, p=params)["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return told["run"]["runId"]

    def reexecute(self, run_id: str, *, strategy: str | None = None, params: dict | None = None) -> set[str]:
        """Runs it again to a good end, by a strategy or by what the UI sends; returns the steps it had."""
        known = {"parentRunId": run_id, "strategy": strategy} if strategy else None
        launched = self.ask(REEXECUTE, p=known, e=params)["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        again = launched["run"]["runId"]
        assert self.finish(again) == "SUCCESS", self.log.read_text()[-3000:]
        return {step["stepKey"] for step in self.ask(STEPS, id=again)["runOrError"]["stepStats"]}

    def finish(self, run_id: str) -> str:
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline:
            status = self.ask(STATUS, id=run_id)["runOrError"]["status"]
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(1)
        return "too slow"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_photos):
    """A home with one finished run of the command line."""
    folder = tmp_path_factory.mktemp("dev")
    words = ("reconstruct", small_photos, "--mode", "fastest", "--name", CAPTURE, "--output", folder / "out")
    done = run_ds3d(folder / "home", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def dev(finished):
    running = Dev(finished / "home")
    try:
        running.wait()
        yield running
    finally:
        running.stop()


def test_the_run_of_the_command_line_is_there(dev):
    (run,) = dev.ask(RUNS)["runsOrError"]["results"]
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert run["status"] == "SUCCESS"
    assert tags["dagster/partition"] == CAPTURE
    assert tags["ds3d/mode"] == "fastest"


def test_its_materialisations_tell_backend_and_attempts(dev):
    asset = dev.ask(MATERIALIZATION, key={"path": ["poses"]})["assetOrError"]
    (made,) = asset["assetMaterializations"]
    labels = {entry["label"] for entry in made["metadataEntries"]}
    assert made["partition"] == CAPTURE
    assert {"backend", "attempts", "seconds", "peak_memory_mb", "registered", "path"} <= labels


def test_the_quality_job_launched_from_the_ui_runs_quality(dev, finished):
    output = finished / "launched"
    config = {"ops": LIGHT | {"metrics": {"config": {"output": str(output)}}}}
    assert dev.finish(dev.launch("reconstruct_quality", config)) == "SUCCESS", dev.log.read_text()[-3000:]
    told = json.loads((output / CAPTURE / "metrics.json").read_text())
    assert told["mode"] == "quality"


def test_config_wins_over_the_jobs_tag(dev, finished):
    output = finished / "explicit"
    config = {
        "ops": LIGHT | {"metrics": {"config": {"output": str(output)}}},
        "resources": {"mode": {"config": {"name": "fastest"}}},
    }
    assert dev.finish(dev.launch("reconstruct_quality", config)) == "SUCCESS", dev.log.read_text()[-3000:]
    assert json.loads((output / CAPTURE / "metrics.json").read_text())["mode"] == "fastest"


def test_the_checks_of_an_asset_are_evaluated_in_its_own_step(dev):
    node = dev.ask(CHECKS, key={"path": ["poses"]})["assetNodeOrError"]
    checks = {check["name"]: check for check in node["assetChecksOrError"]["checks"]}
    assert set(checks) == {gate.name for gate in STAGE_CARDS["poses"].gates}
    assert [name for name, check in checks.items() if check["blocking"]] == ["valid_files"]
    told = [check["executionForLatestMaterialization"] for check in checks.values()]
    assert {check["status"] for check in told} == {"SUCCEEDED"}
    assert all(check["evaluation"]["success"] for check in told)


def test_it_starts_clean(dev):
    log = dev.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


@contextlib.contextmanager
def no_place_for_a_mesh(folder: Path) -> Iterator[None]:
    """What fails is the disk: no mesh can be stored until the file in its way is gone."""
    mesh, kept = folder / "home" / "storage" / "mesh", folder / "kept"
    shutil.move(mesh, kept)
    mesh.touch()
    try:
        yield
    finally:
        mesh.unlink()
        shutil.move(kept, mesh)


def status_in(output: Path) -> str:
    return json.loads((output / CAPTURE / "metrics.json").read_text())["status"]


def test_re_execution_from_failure_makes_only_the_rest(dev, finished):
    output = finished / "again"
    with no_place_for_a_mesh(finished):
        failed = dev.launch("reconstruct_fastest", {"ops": {"metrics": {"config": {"output": str(output)}}}})
        assert dev.finish(failed) == "FAILURE"
    assert dev.reexecute(failed, strategy="FROM_FAILURE") == {"mesh", "metrics"}
    assert status_in(output) == "ok"


@pytest.fixture(scope="module")
def failed_at_the_command_line(dev, finished, small_photos):
    """A run of the command line whose mesh could not be stored: where it writes to, and the run."""
    output = finished / "command-line"
    words = ("reconstruct", small_photos, "--mode", "fastest", "--name", CAPTURE, "--output", output)
    with no_place_for_a_mesh(finished):
        done = run_ds3d(finished / "home", *words, "--from", "pointcloud")
    assert done.returncode == 1, done.stdout + done.stderr
    run = dev.ask(RUNS)["runsOrError"]["results"][0]
    assert run["status"] == "FAILURE"
    return output, run


@pytest.mark.parametrize(
    ("strategy", "stages"),
    [("ALL_STEPS", {"pointcloud", "mesh", "splat", "metrics"}), ("FROM_FAILURE", {"mesh", "metrics"})],
)
def test_a_run_of_the_command_line_is_executed_again(dev, failed_at_the_command_line, strategy, stages):
    output, run = failed_at_the_command_line
    shutil.rmtree(output)
    assert dev.reexecute(run["runId"], strategy=strategy) == stages
    assert status_in(output) == "ok"


def test_chosen_steps_of_a_run_of_the_command_line_are_executed_again(dev, failed_at_the_command_line):
    output, run = failed_at_the_command_line
    shutil.rmtree(output)
    origin, steps = run["repositoryOrigin"], ["mesh", "metrics"]
    params = {
        "selector": {
            "repositoryLocationName": origin["repositoryLocationName"],
            "repositoryName": origin["repositoryName"],
            "jobName": run["pipelineName"],
            "assetSelection": [{"path": key["path"]} for key in run["assetSelection"]],
        },
        "runConfigData": run["runConfigYaml"],
        "stepKeys": steps,
        "executionMetadata": {"parentRunId": run["runId"], "rootRunId": run["runId"], "tags": run["tags"]},
        "mode": "default",
    }
    assert dev.reexecute(run["runId"], params=params) == set(steps)
    assert status_in(output) == "ok"
