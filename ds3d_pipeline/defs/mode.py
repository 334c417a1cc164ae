"""The mode as a resource, so that it works on every route into Dagster."""

from typing import Literal, TypeVar

import dagster as dg
from pydantic import Field

from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.stages.modes import MODES, Mode

MODE_TAG = "ds3d/mode"
ConfigT = TypeVar("ConfigT", bound=dg.Config)


class ModeResource(dg.ConfigurableResource):
    """Explicit config, else the run's tag `ds3d/mode`, else balanced."""

    name: Literal["auto", "fastest", "balanced", "quality"] = Field(
        default="auto",
        description="fastest, balanced, quality, or auto: as the job or run tag ds3d/mode says.",
    )

    def resolve_name(self, context: dg.AssetExecutionContext) -> str:
        """The mode's name for this run; raises dg.Failure for a tag that names none."""
        name = self.name if self.name != "auto" else context.run.tags.get(MODE_TAG, DEFAULT_MODE)
        if name not in MODES:
            raise dg.Failure(f"Unknown mode {name!r}: use one of {', '.join(MODES)}.", allow_retries=False)
        return name

    def resolve(self, context: dg.AssetExecutionContext) -> Mode:
        """The mode's table of options."""
        return MODES[self.resolve_name(context)]
