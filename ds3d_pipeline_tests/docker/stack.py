"""The Compose stack, started for a test and taken down with all that it made."""

import contextlib
import json
import shlex
import time
import urllib.request
from pathlib import Path

from ds3d_pipeline_tests.docker.engine import ROOT, compose_command, run
from ds3d_pipeline_tests.ports import free_port

SELECTOR = {"repositoryLocationName": "ds3d_pipeline.definitions", "repositoryName": "__repository__"}
ADD = """mutation ($key: String!, $selector: RepositorySelector!) { addDynamicPartition(
  partitionsDefName: "captures", partitionKey: $key, repositorySelector: $selector) { __typename } }"""
LAUNCH = """mutation ($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUNS = """query { runsOrError { ... on Runs { results { runId status parentRunId
  stats { ... on RunStatsSnapshot { stepsSucceeded } } } } } }"""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


class Stack:
    """One Compose project with names of its own."""

    def __init__(self, project: str, image: str) -> None:
        self.project, self.port, self.page_port = project, free_port(), free_port()
        self._env = {
            "DS3D_IMAGE": image,
            "DS3D_PORT": str(self.port),
            "DS3D_PAGE_PORT": str(self.page_port),
            "DS3D_TOKEN": "right",
            "DS3D_HOME_VOLUME": f"{project}_home",
        }

    def compose(self, *words: object) -> str:
        return run(*compose_command(), "-p", self.project, *words, env=self._env)

    def follow(self, section: str, folder: Path) -> None:
        """Runs the commands of a section of docs/compose.md, with `folder` as the current one."""
        text = (ROOT / "docs" / "compose.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
        commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
        own = shlex.join([*compose_command(), "--project-directory", str(ROOT), "-p", self.project])
        own += f" -f {ROOT / 'docker-compose.yml'}"
        script = "\n".join(commands).replace("docker compose", own)
        run("sh", "-ec", f"cd {folder}\n{script}", env=self._env)

    def up(self) -> None:
        """Starts everything and waits for the page."""
        self.compose("up", "-d", "--no-build")
        self.wait_for("the web server", lambda: self.ask("query { version }"))

    def put(self, folder: Path, name: str) -> None:
        """Copies a folder into the uploads volume; a watcher leaves names with a dot alone."""
        run("docker", "cp", folder, f"{self.container('code')}:/ds3d/uploads/{name}")

    def get(self, name: str, folder: Path) -> Path:
        """Copies a finished capture out of the outputs volume."""
        run("docker", "cp", f"{self.container('code')}:/ds3d/outputs/{name}", folder / name)
        return folder / name

    def container(self, service: str) -> str:
        return self.compose("ps", "-q", service).strip()

    def ask(self, query: str, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def launch(self, capture: str, folder: str) -> str:
        """Adds the capture and launches its fastest reconstruction; returns the run's id."""
        self.ask(ADD, key=capture, selector=SELECTOR)
        config = {"ops": {"capture": {"config": {"inputs": [f"/ds3d/uploads/{folder}"]}}}}
        params = {
            "selector": {**SELECTOR, "jobName": "reconstruct_fastest"},
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": capture}]},
        }
        told = self.ask(LAUNCH, p=params)["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return told["run"]["runId"]

    def runs(self) -> dict[str, dict]:
        return {run["runId"]: run for run in self.ask(RUNS)["runsOrError"]["results"]}

    def wait_for_stages(self, run_id: str, count: int) -> None:
        """Returns when the run has finished this many stages and goes on."""

        def reached() -> bool:
            run = self.runs()[run_id]
            assert run["status"] not in ENDED, run
            return run["status"] == "STARTED" and run["stats"]["stepsSucceeded"] >= count

        self.wait_for(f"{count} stages of {run_id}", reached)

    def finish(self, run_id: str) -> str:
        """The status that a run ends with."""
        self.wait_for(f"the end of {run_id}", lambda: self.runs()[run_id]["status"] in ENDED)
        return self.runs()[run_id]["status"]

    def retry_of(self, run_id: str) -> str:
        """The id of the run that takes this one up, as soon as it is there."""
        found: list[str] = []

        def find() -> bool:
            found.extend(key for key, run in self.runs().items() if run["parentRunId"] == run_id)
            return bool(found)

        self.wait_for(f"a retry of {run_id}", find)
        return found[0]

    def wait_for(self, what: str, condition) -> None:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # a server that starts refuses and resets connections
                if condition():
                    return
            time.sleep(1)
        raise AssertionError(f"waited too long for {what}:\n{self.compose('logs', '--tail', '40')}")
