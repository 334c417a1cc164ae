"""kill -9 in the middle of whatever changes names: of publishing, of storing, of registering."""

import signal

import pytest

from ds3d_pipeline_tests.captures import run_ds3d
from ds3d_pipeline_tests.faults.injector import Fault, run_struck
from ds3d_pipeline_tests.faults.rounds import digests, later_and_later

GROWTH = 1.6


def _points(every: int, place, injector) -> range:
    none = Fault(kind="kill", under=place.output, at=0)
    counted = run_struck(injector, none, place.home, *place.words("tiny", place.photos))
    assert counted.returncode == 0, counted.said[-3000:]
    assert counted.operations > every
    return range(1, counted.operations + 1, every)


def _kill_while_publishing(every: int, place, injector) -> None:
    stored = place.bundles()
    for at in _points(every, place, injector):
        fault = Fault(kind="kill", under=place.output, at=at)
        struck = run_struck(injector, fault, place.home, *place.words("tiny", place.photos))
        assert struck.returncode == -signal.SIGKILL, (at, struck.said[-3000:])
        assert digests(place.photos) == place.photos_before
        assert place.bundles() == stored
        place.succeed()
        assert place.published().keys() >= {"model.glb", "model.splat.ply", "report.html", "metrics.json"}
        assert not [path.name for path in place.output.iterdir() if path.name != "tiny"]


@pytest.mark.slow
def test_a_kill_at_every_seventh_change_of_a_name_while_publishing_loses_nothing(place, injector):
    _kill_while_publishing(7, place, injector)


@pytest.mark.nightly
def test_a_kill_at_every_change_of_a_name_while_publishing_loses_nothing(place, injector):
    _kill_while_publishing(1, place, injector)


@pytest.mark.nightly
def test_a_new_capture_that_is_killed_again_and_again_ends_well(place, injector, other_photos):
    """From the first change of a name in a home on, each kill later than the one before."""
    kills = 0
    for at, struck in later_and_later("kill", GROWTH, place, injector, other_photos):
        if struck.returncode == 0:
            break
        assert struck.returncode == -signal.SIGKILL, (at, struck.said[-3000:])
        kills += 1
    assert kills >= 5
    assert run_ds3d(place.home, *place.words("other", other_photos)).returncode == 0
    place.succeed()
