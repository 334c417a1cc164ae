"""The knobs of the depth stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DepthOptions:
    """Dense depth maps."""

    max_side_px: int = 768
    source_views: int = 6
    seed: int = 0
    model: str = ""
    """ONNX depth model: a file, or `owner/repository@revision:file` on Hugging Face; empty takes Depth
    Anything V2 Small."""
    model_sha256: str = ""
    """What the model's file must hash to; empty checks only the default model."""
    model_gives_depth: bool = False
    """Whether larger numbers of the model's output are further away; in disparity they are nearer."""
    model_side_px: int = 518
    """Shorter side of the model's picture where the model takes any size."""
    model_multiple_px: int = 14
    """Sides of the model's picture are multiples of this."""
    model_colors: str = "imagenet"
    """How the model wants colours: `imagenet`, `symmetric` (-1 to 1) or `unit` (0 to 1)."""
    fetch_model: bool = False
    """Whether a run may fetch a missing model from the network."""
    fill_holes: bool = False
    """Whether holes of stereo get the model's estimate where it fits what is measured around. Off: it takes
    the model's time for every view, and a model that errs by a few percent fills next to nothing."""
