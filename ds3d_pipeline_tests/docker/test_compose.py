"""docker-compose.yml on a real engine: real Postgres, real restarts, a real capture."""

import json
import urllib.error
import urllib.request
import uuid

import pytest

from ds3d_pipeline_tests.docker.engine import build_image, labelled, run, why_no_compose
from ds3d_pipeline_tests.docker.stack import Stack

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(why_no_compose() is not None, reason=f"no stack here: {why_no_compose()}"),
    pytest.mark.timeout(1800),
]
FILES = {
    "model.glb",
    "model.splat.ply",
    "model.splat.ply.gz",
    "model.spz",
    "pointcloud.ply",
    "sparse",
    "images",
    "metrics.json",
    "report.html",
    "view.html",
}


@pytest.fixture(scope="module")
def stack(small_photos):
    """A running stack with photos in its uploads volume."""
    image = build_image("ds3d-pipeline", "docker/pipeline/Dockerfile")
    running = Stack(f"ds3d-test-{uuid.uuid4().hex[:8]}", image)
    try:
        running.up()
        running.put(small_photos, ".photos")
        yield running
    finally:
        running.compose("down", "-v", "-t", "5")
    for kind in ("container", "volume", "network"):
        assert not labelled(kind, running.project)


@pytest.fixture(scope="module")
def survivor(stack):
    """A run whose daemon was restarted while it went on."""
    run_id = stack.launch("survivor", ".photos")
    stack.wait_for_stages(run_id, 1)
    stack.compose("restart", "-t", "5", "daemon")
    assert stack.finish(run_id) == "SUCCESS"
    return run_id


def test_the_page_answers_at_its_port(stack):
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/", timeout=30) as answer:
        assert b"Dagster" in answer.read()


def test_the_upload_page_asks_for_its_token_and_knows_the_captures(stack, survivor):
    page = f"http://127.0.0.1:{stack.page_port}/api/jobs"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(page, timeout=30)
    asked = urllib.request.Request(page, headers={"Authorization": "Bearer right"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert [job["job_id"] for job in json.load(answer)["jobs"]] == ["survivor"]


def test_a_run_survives_a_restart_of_the_daemon_with_all_artifacts(stack, survivor, tmp_path):
    folder = stack.get("survivor", tmp_path)
    told = json.loads((folder / "metrics.json").read_text())
    assert {path.name for path in folder.iterdir()} >= FILES
    assert told["status"] == "ok", told["reasons"]
    assert told["mode"] == "fastest"
    assert told["poses"]["registered"] == 8


def test_nothing_runs_as_root_and_files_belong_to_the_user(stack, survivor):
    facts = "id -u; stat -c %u /ds3d/outputs/survivor"
    told = run("docker", "exec", stack.container("code"), "sh", "-c", facts)
    assert told.split() == ["1000", "1000"]


def test_the_command_line_in_the_container_knows_the_same_captures(stack, survivor):
    listed = run("docker", "exec", stack.container("code"), "ds3d", "list", "--json")
    assert [json.loads(line)["name"] for line in listed.splitlines()] == ["survivor"]


def test_no_service_has_rights_or_a_disk_that_it_does_not_need(stack):
    for service in ("database", "code", "webserver", "page", "daemon"):
        (told,) = json.loads(run("docker", "inspect", stack.container(service)))
        host = told["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["Memory"] > 0, service
        assert host["LogConfig"]["Config"]["max-size"] == "10m", service


def test_the_password_was_made_here_and_is_in_no_environment(stack):
    code = stack.container("code")
    password = run("docker", "exec", code, "cat", "/ds3d/secret/password")
    assert len(password) > 30
    assert run("docker", "exec", code, "stat", "-c", "%a %u", "/ds3d/secret/pgpass") == "600 1000\n"
    for service in ("database", "code", "webserver", "page", "daemon"):
        assert password not in run("docker", "inspect", stack.container(service)), service
    without = "import psycopg2; psycopg2.connect('host=database user=ds3d passfile=/dev/null')"
    told = run("docker", "exec", code, "sh", "-c", f'python -c "{without}" 2>&1 || true')
    assert "no password supplied" in told


def test_every_kernel_was_compiled_with_the_image(stack, survivor):
    # The instance's file is written at every start of the container.
    newer = "find /var/cache/ds3d -type f -newer /ds3d/home/dagster.yaml; find /var/cache/ds3d -name '*.nbc'"
    told = run("docker", "exec", stack.container("code"), "sh", "-c", newer).splitlines()
    assert len(told) > 10
    assert len(told) == len(set(told)), "a kernel was compiled anew"


def test_a_run_that_the_code_location_took_down_is_retried_where_it_stopped(stack, survivor):
    run_id = stack.launch("retried", ".photos")
    stack.wait_for_stages(run_id, 2)
    run("docker", "kill", stack.container("code"))
    stack.compose("up", "-d", "--no-build")
    assert stack.finish(run_id) == "FAILURE"
    retry = stack.retry_of(run_id)
    assert stack.finish(retry) == "SUCCESS"
    steps = {name: told["stats"]["stepsSucceeded"] for name, told in stack.runs().items()}
    assert steps[run_id] + steps[retry] == steps[survivor]


def test_history_and_files_outlive_the_containers(stack, survivor, tmp_path):
    before = {key: run["status"] for key, run in stack.runs().items()}
    stack.compose("down", "-t", "5")
    assert not labelled("container", stack.project)
    stack.up()
    assert {key: run["status"] for key, run in stack.runs().items()} == before
    assert before[survivor] == "SUCCESS"
    assert (stack.get("survivor", tmp_path) / "model.glb").stat().st_size > 0


def test_the_documented_backup_fills_an_empty_installation(stack, survivor, tmp_path):
    before = {key: run["status"] for key, run in stack.runs().items()}
    stack.follow("Backup", tmp_path)
    stack.compose("down", "-v", "-t", "5")
    stack.follow("Restore", tmp_path)
    stack.up()
    assert {key: run["status"] for key, run in stack.runs().items()} == before
    assert before[survivor] == "SUCCESS"
    assert (stack.get("survivor", tmp_path) / "model.glb").stat().st_size > 0
    assert "survivor" in stack.compose("exec", "-T", "code", "ds3d", "list")
