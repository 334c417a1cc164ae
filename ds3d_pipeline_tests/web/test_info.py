"""What `/api/info` says of the server."""

from ds3d_pipeline.defs.daemon import daemon_folder
from ds3d_pipeline.execution.heartbeat import beating, forget
from ds3d_pipeline.storage.home import find_home
from ds3d_pipeline_tests.web.waiting import wait_until


def daemon(server) -> str:
    return server.client.get("/api/info").json()["daemon"]


def test_the_servers_own_daemon_is_ours_even_before_it_beats(server):
    assert daemon(server) == "none"
    server.settings.brings_daemon.set()
    try:
        assert daemon(server) == "ours"
    finally:
        server.settings.brings_daemon.clear()


def test_another_daemon_of_the_home_is_not_ours(server):
    folder = daemon_folder(find_home())
    with beating(folder):
        wait_until(lambda: daemon(server) == "other")
    forget(folder)
    wait_until(lambda: daemon(server) == "none")
