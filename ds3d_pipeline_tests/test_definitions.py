"""What Dagster sees."""

from ds3d_pipeline.backends import READS
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.resources import MODE_TAG


def test_the_lineage_is_the_table_of_reads():
    graph = defs.resolve_asset_graph()
    for stage, reads in READS.items():
        node = next(node for node in graph.asset_nodes if node.key.path == [stage])
        assert {key.path[0] for key in node.parent_keys} == set(reads)
        assert node.group_name == "reconstruction"


def test_every_mode_has_a_job_that_carries_it():
    for mode in ("fastest", "balanced", "quality"):
        assert defs.resolve_job_def(f"reconstruct_{mode}").tags[MODE_TAG] == mode
