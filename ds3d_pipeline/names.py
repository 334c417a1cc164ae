"""Names of stages, modes and the Dagster module, importing nothing: the command line parses with them."""

from __future__ import annotations

STAGES = ("capture", "keyframes", "poses", "depth_maps", "pointcloud", "mesh", "splat", "metrics")
"""In the order in which they run."""
MODES = ("fastest", "balanced", "quality")
DEFAULT_MODE = "balanced"
DEFINITIONS = "ds3d_pipeline.definitions"
"""The module that Dagster loads; as `dagster dev` calls the code location, so sensors keep what they know."""
EXPORTS = ("html", "las", "obj", "stl", "usdz")
"""What `ds3d export` writes."""
