"""What is made again when one thing changes, told by materialisation events."""

import contextlib
import dataclasses

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.local_run import reconstruct
from ds3d_pipeline.execution.freshness import find_fresh
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import STAGES
from ds3d_pipeline.stages.table import STAGE_CARDS
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline_tests.stages.cards import change_card

pytestmark = pytest.mark.slow

QUICK = {"splat": {"train": False}, "mesh": {"texture_px": 0, "poisson_depth": 6}}


class Silent:
    """A display that shows nothing."""

    def wait_for(self, capture, since):
        pass

    def following(self, read):
        return contextlib.nullcontext()

    def look(self):
        pass

    def finish(self, metrics, folder):
        pass


class Finished:
    """A capture that one balanced run has finished."""

    def __init__(self, folder, photos) -> None:
        self.home = prepare_home()
        self.capture = accept([photos], CaptureOptions(), "changed").capture
        self.request = RunRequest(
            capture=self.capture, output=folder / "out", tables=QUICK, source="command_line"
        )
        self.first = self.run()

    def choose(self, stage: str, **options) -> None:
        """Changes options of one stage, for all runs to come."""
        table = {**self.request.tables.get(stage, {}), **options}
        self.request = dataclasses.replace(self.request, tables={**self.request.tables, stage: table})

    def run(self) -> set[str]:
        """The assets that a run of the request materialises."""
        outcome = reconstruct(self.request, Silent(), defs.resolve_job_def)
        assert outcome.metrics.status != "failed", outcome.metrics.reasons
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs(limit=1)
            logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        return {entry.dagster_event.asset_key.to_user_string() for entry in logs}

    def fresh(self) -> set[str]:
        """The assets that a run of the request would not make again."""
        options = self.request.all_options()
        return set(find_fresh(self.home, self.capture, options, self.request.prefer))

    def stale(self, definitions: dg.Definitions) -> set[str]:
        """The assets that Dagster calls stale, as its UI does."""
        with dg.DagsterInstance.get() as instance:
            graph = definitions.resolve_asset_graph()
            resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
            keys = [dg.AssetKey(stage) for stage in STAGES]
            return {
                key.to_user_string()
                for key in keys
                if resolver.get_status(key, self.capture) == StaleStatus.STALE
            }


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_photos):
    folder = tmp_path_factory.mktemp("change")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        yield Finished(folder, small_photos)


def test_a_run_makes_what_reads_the_change_and_nothing_else(finished):
    assert finished.first == set(STAGES)
    assert finished.run() == {"metrics"}
    finished.choose("mesh", max_faces=900)
    assert finished.run() == {"mesh", "metrics"}
    finished.choose("splat", max_gaussians=800)
    assert finished.run() == {"splat", "metrics"}
    finished.choose("pointcloud", max_points=3000)
    assert finished.run() == {"pointcloud", "mesh", "splat", "metrics"}
    finished.request = dataclasses.replace(finished.request, prefer={"mesh": "relief"})
    assert finished.run() == {"mesh", "metrics"}
    # quality wants larger keyframes, so only the staged upload stays as it is.
    finished.request = dataclasses.replace(finished.request, mode="quality")
    assert finished.run() == set(STAGES) - {"capture"}
    assert finished.run() == {"metrics"}


def test_every_asset_carries_the_version_of_its_own_code():
    graph = defs.resolve_asset_graph()
    for stage, card in STAGE_CARDS.items():
        assert graph.get(dg.AssetKey(stage)).code_version == card.code_version


def test_new_code_of_one_stage_makes_that_stage_stale(finished, monkeypatch):
    assert finished.fresh() == set(STAGES) - {"metrics"}
    change_card(monkeypatch, "mesh", code_version="next")
    assert finished.fresh() == set(STAGES) - {"metrics", "mesh"}


def test_the_ui_calls_new_code_stale(finished):
    assert finished.stale(defs) == set()

    def newer(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(code_version="next") if spec.key == dg.AssetKey("mesh") else spec

    assets = dg.map_asset_specs(newer, defs.assets or ())
    assert finished.stale(dg.Definitions(assets=assets, resources=defs.resources)) == {"mesh"}
