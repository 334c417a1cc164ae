"""The IO manager: one bundle per asset and capture, on a local path or any universal_pathlib URL."""

import contextlib
from collections.abc import Iterator

import dagster as dg
from upath import UPath

from ds3d_pipeline.defs.metadata import link_files
from ds3d_pipeline.defs.pinning import pinned_version
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.execution.journal import Journal, run_journal
from ds3d_pipeline.programs.enums import Outcome
from ds3d_pipeline.programs.faults import in_words
from ds3d_pipeline.storage.bundles import Attempt, Bundle, fetch, publish
from ds3d_pipeline.storage.home import find_home


class BundleIOManager(dg.ConfigurableIOManager):
    """Publishes what an asset made, atomically, and hands it to the assets downstream as a local folder.

    A run reads the same version of a stage from its first look to its end.
    """

    base: str = ""
    """Folder or URL; empty means `DS3D_STORAGE`, else `storage/` in the Dagster home."""

    def place(self, asset: str, capture: str) -> UPath:
        """Where the bundles of one asset and capture are."""
        return UPath(self.base or find_home().storage) / asset / capture

    def handle_output(self, context: dg.OutputContext, obj: Bundle) -> None:
        """Raises dg.Failure, which no retry follows, where the files cannot be stored."""
        stage, journal = context.asset_key.path[-1], run_journal(find_home(), context.run_id)
        place = self.place(stage, context.partition_key)
        folder = place / obj.data_version
        with _recorded(journal, stage, "The files could not be stored. "):
            links = link_files(obj, folder)
            publish(obj, place)
        journal.made(stage, obj.data_version)
        context.add_output_metadata({"path": dg.MetadataValue.path(str(folder)), **links})

    def load_input(self, context: dg.InputContext) -> Bundle:
        """Raises dg.Failure, which no retry follows, where the files are damaged or gone."""
        home, step = find_home(), context.step_context
        stage, run = context.asset_key.path[-1], step.dagster_run
        place = self.place(stage, context.partition_key)
        with _recorded(run_journal(home, run.run_id), step.op.name):
            version = pinned_version(context.instance, run, home, stage, place)
            return fetch(place, home.root / "cache", version)


@contextlib.contextmanager
def _recorded(journal: Journal, stage: str, before: str = "") -> Iterator[None]:
    """A failure becomes an attempt in the journal, so that the report of the run names it."""
    try:
        yield
    except (OSError, StageError) as error:
        reason = f"{before}{in_words(error, (find_home().root,))}"
        journal.record(stage, Attempt(backend="local", outcome=Outcome.FAILED, reason=reason))
        raise dg.Failure(reason, allow_retries=False) from error
