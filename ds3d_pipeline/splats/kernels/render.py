"""One picture from rows of Gaussians, and the gradient of a picture back to the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ds3d_pipeline.scene import Float32, Int32
from ds3d_pipeline.splats.kernels.projection import (
    HALF_WIDTH,
    HEIGHT,
    PROJECTED_SIZE,
    WIDTH,
    project,
    project_backward,
)
from ds3d_pipeline.splats.kernels.rasterize import PAIR_GRADIENTS, rasterize, rasterize_backward, sum_pairs
from ds3d_pipeline.splats.kernels.tiles import Tiles, bin_gaussians

BLACK: Float32 = np.zeros(3, np.float32)


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A drawn picture and what its backward pass needs."""

    image: Float32
    """(3, H, W)."""
    background: Float32
    """(3,) the colour behind everything."""
    transmittance: Float32
    """(H, W) transmittance to the background."""
    projected: Float32
    """(N, 12) projected Gaussians."""
    tiles: Tiles
    ends: Int32

    @property
    def visible(self) -> np.ndarray:
        """(N,) which Gaussians touch the picture."""
        return self.projected[:, HALF_WIDTH] > 0


@dataclass(frozen=True, kw_only=True)
class RowGradients:
    """The loss' gradient by the rows."""

    rows: Float32
    """Like the rows; meaningful for visible Gaussians only."""
    absgrad: Float32
    """(N,) absolute screen-space gradient of each Gaussian; see `sum_pairs`."""


class Engine(Protocol):
    """What draws while training, and carries gradients back."""

    def render(self, rows: Float32, camera: Float32, sh_degree: int, background: Float32) -> Any:
        """A drawing with at least `image` (3, H, W) and `visible` (N,)."""
        ...

    def backward(
        self, rows: Float32, camera: Float32, sh_degree: int, drawn: Any, image_grad: Float32
    ) -> RowGradients:
        """The gradient by `rows`, given that by the drawn image."""
        ...


class KernelEngine:
    """The kernels of this package."""

    def render(self, rows: Float32, camera: Float32, sh_degree: int, background: Float32) -> Rendering:
        return render(rows, camera, sh_degree, background)

    def backward(
        self, rows: Float32, camera: Float32, sh_degree: int, drawn: Rendering, image_grad: Float32
    ) -> RowGradients:
        return render_backward(rows, camera, sh_degree, drawn, image_grad)


def render(rows: Float32, camera: Float32, sh_degree: int, background: Float32 = BLACK) -> Rendering:
    """Draws rows (N, D) with the flat camera of `projection.camera_row`, harmonics up to `sh_degree`."""
    width, height = int(camera[WIDTH]), int(camera[HEIGHT])
    projected = np.empty((len(rows), PROJECTED_SIZE), np.float32)
    project(rows, camera, sh_degree, projected)
    tiles = bin_gaussians(projected, (width, height))
    image = np.empty((3, height, width), np.float32)
    transmittance = np.empty((height, width), np.float32)
    ends = np.empty(len(tiles.starts) - 1, np.int32)
    rasterize(projected, tiles.ids, tiles.starts, tiles.tiles_wh[0], background, image, transmittance, ends)
    return Rendering(
        image=image,
        background=background,
        transmittance=transmittance,
        projected=projected,
        tiles=tiles,
        ends=ends,
    )


def render_backward(
    rows: Float32, camera: Float32, sh_degree: int, drawn: Rendering, image_grad: Float32
) -> RowGradients:
    """The gradient by `rows` of a loss whose gradient by the drawn image is `image_grad` (3, H, W)."""
    tiles = drawn.tiles
    pair_grads = np.empty((len(tiles.ids), PAIR_GRADIENTS), np.float32)
    rasterize_backward(
        drawn.projected,
        tiles.ids,
        tiles.starts,
        tiles.tiles_wh[0],
        drawn.transmittance,
        drawn.ends,
        image_grad,
        drawn.transmittance * sum(image_grad[c] * drawn.background[c] for c in range(3)),
        pair_grads,
    )
    projected_grad = np.empty((len(rows), PAIR_GRADIENTS), np.float32)
    absgrad = np.empty(len(rows), np.float32)
    sum_pairs(pair_grads, tiles.pair_starts, tiles.pair_places, projected_grad, absgrad)
    grads = np.zeros_like(rows)
    project_backward(rows, camera, sh_degree, drawn.projected, projected_grad, grads)
    return RowGradients(rows=grads, absgrad=absgrad)
