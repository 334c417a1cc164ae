"""The names of stages and modes, importing nothing: the command line parses with them at once."""

from __future__ import annotations

STAGES = ("capture", "keyframes", "poses", "depth_maps", "pointcloud", "mesh", "splat", "metrics")
"""In the order in which they run."""
MODES = ("fastest", "balanced", "quality")
DEFAULT_MODE = "balanced"
