"""Whether a daemon runs, told from its heartbeats."""

import time

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from ds3d_pipeline.defs.daemon import daemon_folder
from ds3d_pipeline.execution.heartbeat import Process, beating, this_system
from ds3d_pipeline.programs.records import write_json
from ds3d_pipeline.web.daemons import DAEMONS, FRESH_S, DaemonWatch, daemon_beats, heartbeat_age_s
from ds3d_pipeline_tests.homes import make_home


@pytest.fixture(scope="module")
def kept():
    """On disk: what is in memory keeps no heartbeats."""
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def instance(kept):
    kept.wipe_daemon_heartbeats()
    return kept


def beat(instance, age_s: float, daemon_id: str = "one") -> None:
    for kind in DAEMONS:
        at = time.time() - age_s
        instance.add_daemon_heartbeat(
            DaemonHeartbeat(timestamp=at, daemon_type=kind, daemon_id=daemon_id, errors=[])
        )


def always() -> bool:
    return True


def test_a_daemon_that_never_beat_or_not_for_long_does_not_run(instance, tmp_path):
    home = make_home(tmp_path)
    assert not daemon_beats(home, instance, always)
    beat(instance, FRESH_S + 10)
    assert FRESH_S < heartbeat_age_s(instance) < FRESH_S + 60
    assert not daemon_beats(home, instance, always)


def test_one_part_that_has_ended_is_no_daemon(instance):
    beat(instance, 1.0)
    late = DaemonHeartbeat(timestamp=time.time() - 500, daemon_type=DAEMONS[1], daemon_id="one", errors=[])
    instance.add_daemon_heartbeat(late)
    assert 500 < heartbeat_age_s(instance) < 600


def test_a_daemon_that_beats_again_runs(instance, tmp_path):
    beat(instance, 20.0)

    def meanwhile() -> bool:
        beat(instance, 0.0)
        return True

    assert daemon_beats(make_home(tmp_path), instance, meanwhile, wait_s=20)


def test_the_last_beat_of_a_daemon_that_ended_is_no_sign_of_life(instance, tmp_path):
    beat(instance, 20.0)
    assert not daemon_beats(make_home(tmp_path), instance, always, wait_s=1.0)


def test_the_daemon_of_an_earlier_server_is_not_waited_for(instance, tmp_path):
    home = make_home(tmp_path)
    home.locks.mkdir()
    write_json(home.locks / "own_daemons.json", ["one"])
    beat(instance, 1.0)
    before = time.monotonic()
    assert not daemon_beats(home, instance, always, wait_s=60)
    assert time.monotonic() - before < 5


def test_who_is_to_stop_does_not_wait_for_a_daemon(instance, tmp_path):
    beat(instance, 1.0)
    before = time.monotonic()
    assert not daemon_beats(make_home(tmp_path), instance, lambda: False, wait_s=60)
    assert time.monotonic() - before < 5


def test_our_daemon_is_known_by_its_process_whatever_the_clock_says(instance, tmp_path):
    home = make_home(tmp_path)
    beat(instance, 3600.0)
    with beating(daemon_folder(home)):
        assert DaemonWatch(home).goes_on(instance)
        assert daemon_beats(home, instance, always)


def test_our_killed_daemon_does_not_count_for_its_last_beat(instance, tmp_path):
    home = make_home(tmp_path)
    daemon_folder(home).mkdir(parents=True)
    gone = Process(system=this_system(), pid=1, started="never")
    write_json(daemon_folder(home) / "heartbeat.json", gone)
    beat(instance, 1.0)
    assert not DaemonWatch(home).goes_on(instance)


def test_a_stepped_clock_makes_no_beating_daemon_count_as_gone(instance, tmp_path):
    watch = DaemonWatch(make_home(tmp_path))
    beat(instance, 1.0)
    assert watch.goes_on(instance)
    for age_s in (3600.0, 3570.0, -7200.0):
        beat(instance, age_s)
        assert watch.goes_on(instance)


def test_a_daemon_that_beats_no_more_counts_as_gone_by_our_steady_clock(instance, tmp_path):
    now = [0.0]
    watch = DaemonWatch(make_home(tmp_path), lambda: now[0])
    beat(instance, 1.0)
    assert watch.goes_on(instance)
    now[0] = FRESH_S - 1
    assert watch.goes_on(instance)
    now[0] = FRESH_S + 1
    assert not watch.goes_on(instance)
    beat(instance, 0.0)
    assert watch.goes_on(instance)
