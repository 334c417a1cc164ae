"""A disk that is full from the n-th write on: under the output, and under the home."""

import pytest

from ds3d_pipeline.names import STAGES
from ds3d_pipeline_tests.captures import run_ds3d
from ds3d_pipeline_tests.faults.injector import Fault, run_struck
from ds3d_pipeline_tests.faults.rounds import assert_plain, digests, later_and_later

GROWTH = 1.5


def _writes(folder, place, injector) -> int:
    none = Fault(kind="full", under=folder, at=0)
    counted = run_struck(injector, none, place.home, *place.words("tiny", place.photos))
    assert counted.returncode == 0, counted.said[-3000:]
    return counted.operations


def _filled(folder, writes, points, place, injector):
    """Each command with the disk of `folder` full from a later one of `writes` on; at the end a whole one."""
    stored = place.bundles()
    for at in range(1, writes + 1, max(1, writes // points)):
        fault = Fault(kind="full", under=folder, at=at)
        struck = run_struck(injector, fault, place.home, *place.words("tiny", place.photos))
        assert_plain(struck)
        assert place.bundles() == stored
        assert digests(place.photos) == place.photos_before
        yield at, struck
    place.succeed()


def _fill_while_publishing(points: int, place, injector) -> None:
    writes = _writes(place.output, place, injector)
    published = place.published()
    for at, struck in _filled(place.output, writes, points, place, injector):
        assert struck.returncode == 1, (at, struck.said[-3000:])
        assert "full" in struck.said, struck.said[-3000:]
        assert place.published() == published


@pytest.mark.slow
@pytest.mark.fault("unusable output")
def test_an_output_that_gets_full_keeps_what_was_published(place, injector):
    _fill_while_publishing(6, place, injector)


@pytest.mark.nightly
def test_an_output_that_gets_full_at_any_write_keeps_what_was_published(place, injector):
    _fill_while_publishing(1000, place, injector)


def _fill_home(points: int, place, injector) -> None:
    writes = _writes(place.home, place, injector)
    published = place.published()
    for at, struck in _filled(place.home, writes, points, place, injector):
        # SQLite does not say why it cannot make a file.
        named = "full" in struck.said or "its disk" in struck.said
        assert struck.returncode == 0 or named, (at, struck.said[-3000:])
        if struck.returncode:
            assert place.published().keys() >= published.keys()


@pytest.mark.slow
def test_a_home_that_gets_full_says_so_and_loses_nothing(place, injector):
    _fill_home(5, place, injector)


@pytest.mark.nightly
def test_a_home_that_gets_full_at_many_points_says_so_and_loses_nothing(place, injector):
    _fill_home(60, place, injector)


@pytest.mark.nightly
def test_a_new_capture_on_a_disk_that_is_full_again_and_again_ends_well(place, injector, other_photos):
    """Each time a little more fits, as if the user had freed a little."""
    full = 0
    for at, struck in later_and_later("full", GROWTH, place, injector, other_photos):
        assert_plain(struck)
        if struck.operations < at:
            break
        full += 1
    assert full >= 10
    assert struck.returncode == 0, struck.said[-3000:]
    place.succeed()


def _fill_each_stage(places, tmp_path, injector, photos) -> None:
    """One capture whose every stage meets a full disk, at each of `places` in turn."""
    home, before = tmp_path / "home", digests(photos)
    words = ("reconstruct", photos, "--mode", "fastest", "--name", "other", "--output", tmp_path / "out")
    for stage in STAGES:
        for folder, at in places:
            fault = Fault(kind="full", under=home / folder, part=f"/{stage}/", at=at)
            struck = run_struck(injector, fault, home, *words, "--from", stage)
            assert_plain(struck)
            assert struck.returncode == 1, (stage, folder, at, struck.said[-3000:])
            assert "disk is full" in struck.said, (stage, folder, at, struck.said[-3000:])
    assert run_ds3d(home, *words).returncode == 0
    assert digests(photos) == before


@pytest.mark.nightly
@pytest.mark.timeout(2000)
@pytest.mark.fault("full storage", "disk that fills during a run")
def test_a_disk_that_is_full_where_a_stage_stores_its_files_is_named(tmp_path, injector, other_photos):
    _fill_each_stage([("storage", 1)], tmp_path, injector, other_photos)


@pytest.mark.nightly
@pytest.mark.timeout(2000)
def test_a_disk_that_is_full_where_a_stage_works_is_named(tmp_path, injector, other_photos):
    _fill_each_stage([("work", 2)], tmp_path, injector, other_photos)
