"""The IO manager: one bundle per asset and capture, on a local path or any universal_pathlib URL."""

from pathlib import Path

import dagster as dg
from upath import UPath

from ds3d_pipeline.defs.metadata import link_files
from ds3d_pipeline.storage.bundles import Bundle, fetch, publish
from ds3d_pipeline.storage.home import find_home


class BundleIOManager(dg.ConfigurableIOManager):
    """Publishes what an asset made, atomically, and hands it to the assets downstream as a local folder."""

    base: str = ""
    """Folder or URL; empty means `DS3D_STORAGE`, else `storage/` in the Dagster home."""

    def place(self, asset: str, capture: str) -> UPath:
        """Where the bundles of one asset and capture stand."""
        return UPath(self.base or find_home().storage) / asset / capture

    def handle_output(self, context: dg.OutputContext, obj: Bundle) -> None:
        place = self.place(context.asset_key.path[-1], context.partition_key)
        folder = place / obj.data_version
        links = link_files(obj, folder)
        publish(obj, place)
        context.add_output_metadata({"path": dg.MetadataValue.path(str(folder)), **links})

    def load_input(self, context: dg.InputContext) -> Bundle:
        cache = Path(find_home().root) / "cache"
        return fetch(self.place(context.asset_key.path[-1], context.partition_key), cache)
