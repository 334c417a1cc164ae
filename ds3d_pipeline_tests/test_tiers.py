"""The tiers of tests: who belongs to which, and that a required one cannot be skipped in silence."""

from types import SimpleNamespace

import pytest

from ds3d_pipeline_tests import tiers


class Item:
    """What `tiers` asks of a test."""

    nodeid = "test_it"

    def __init__(self, *marks, fixtures=()):
        self.marks, self.fixturenames = list(marks), fixtures

    def get_closest_marker(self, name):
        return name if name in self.marks else None

    def add_marker(self, name):
        self.marks.append(name)


def skipped(reason):
    return SimpleNamespace(skipped=True, outcome="skipped", longrepr=("test_it.py", 1, f"Skipped: {reason}"))


@pytest.mark.parametrize(
    ("item", "tier"),
    [
        (Item(), "fast"),
        (Item("slow"), "slow"),
        (Item(fixtures=("tmp_path", "shared_data")), "data"),
        (Item(fixtures=("shared_data", "engine")), "docker"),
        (Item("slow", fixtures=("shared_data",)), "slow"),
    ],
)
def test_a_tier_is_a_marker_or_follows_from_fixtures(item, tier):
    tiers.assign([item])
    assert tiers.tier_of(item) == tier


def test_two_tiers_are_an_error():
    with pytest.raises(pytest.UsageError, match="docker and slow"):
        tiers.assign([Item("slow", "docker")])


@pytest.mark.parametrize(
    ("required", "reason", "outcome"),
    [
        ("docker,slow", "Docker is not running", "failed"),
        ("docker", "does not apply: there is a GPU here", "skipped"),
        ("browser", "Docker is not running", "skipped"),
        ("", "Docker is not running", "skipped"),
    ],
)
def test_a_skip_in_a_required_tier_is_a_failure(monkeypatch, required, reason, outcome):
    monkeypatch.setenv("DS3D_REQUIRE", required)
    report = skipped(reason)
    tiers.refuse_skip(Item("docker"), report)
    assert report.outcome == outcome
    assert reason in str(report.longrepr)


def test_the_tests_of_every_tier_are_counted():
    assert tiers.summary([Item(), Item("docker"), Item(), Item("slow")]) == "2 fast, 1 slow, 1 docker"


def test_every_tier_is_a_registered_marker_that_plain_pytest_leaves_out(request):
    registered = {line.split(":")[0] for line in request.config.getini("markers")}
    assert registered >= set(tiers.TIERS)
    selection = " ".join(request.config.getini("addopts"))
    assert all(tier in selection for tier in tiers.TIERS)


FAST = "not (slow or docker)"


@pytest.mark.parametrize(
    ("markers", "named", "cpus", "processes"),
    [
        (FAST, [], 2, 2),
        (FAST, [], 64, tiers.MOST_PROCESSES),
        (FAST, [], 1, 0),
        (FAST, ["ds3d_pipeline_tests/poses"], 2, 0),
        ("slow", [], 2, 0),
        ("", [], 2, 0),
    ],
)
def test_only_the_whole_fast_tier_is_shared_by_processes(markers, named, cpus, processes):
    assert tiers.processes(markers, named, cpus) == processes


def test_the_plain_command_is_the_shared_one(request):
    options = request.config.getini("addopts")
    assert tiers.processes(options[options.index("-m") + 1], [], 2) == 2
    assert options[options.index("-n") + 1] == "auto"
