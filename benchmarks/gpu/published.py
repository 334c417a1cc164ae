"""gsplat's own training as its examples publish it (`simple_trainer.py`, presets `default` and `mcmc`).

Shorter trainings shrink every step count of the schedule by the same factor, as its `steps_scaler` does.
What differs: it begins where ours begins, photos wait on the card, and SSIM is blurred by matrix products
where the examples call `fused-ssim`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gsplat
import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import KDTree
from torch import Tensor

from benchmarks.gpu.scenes import Scene
from ds3d_pipeline.scene import Float32, Gaussians
from ds3d_pipeline.splats.training.photos import Photo

FULL_STEPS = 30_000
SH_DEGREE, SH_EVERY = 3, 1000
DSSIM_WEIGHT = 0.2
MEAN_RATE, MEAN_RATE_LAST = 1.6e-4, 0.01
RATES = {"scales": 5e-3, "opacities": 5e-2, "quats": 1e-3, "sh0": 2.5e-3, "shN": 2.5e-3 / 20}
SSIM_RADIUS, SSIM_SIGMA = 5, 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What the two presets differ in."""

    strategy: str
    start_opacity: float
    start_scale: float
    opacity_penalty: float = 0.0
    scale_penalty: float = 0.0


PRESETS = {
    "default": Preset(strategy="DefaultStrategy", start_opacity=0.1, start_scale=1.0),
    "mcmc": Preset(
        strategy="MCMCStrategy", start_opacity=0.5, start_scale=0.1, opacity_penalty=0.01, scale_penalty=0.01
    ),
}
SCALED_STEPS = ("refine_start_iter", "refine_stop_iter", "refine_every", "reset_every")
LEAST_STEPS = 1
"""No step count of a strategy shrinks further; the dry run, of a few iterations, sets more."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The frame that gsplat's examples train in: the cameras' focus at 0, their median distance to it 1."""

    centre: np.ndarray
    scale: float
    extent: float
    """Largest distance of a camera from the middle of all, times 1.1: the unit of rates and sizes."""


def find_world(photos: Sequence[Photo]) -> World:
    """The frame of these cameras."""
    centres = np.array([photo.centre_in_world for photo in photos])
    forward = np.array([photo.cam_from_world[2, :3] for photo in photos])
    nearest = centres - (forward * centres).sum(axis=1, keepdims=True) * forward
    focus = np.median(nearest, axis=0)
    scale = 1 / float(np.median(np.linalg.norm(centres - focus, axis=1)))
    extent = 1.1 * scale * float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max())
    return World(centre=focus, scale=scale, extent=extent)


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A training photo on the card."""

    pixels: Tensor
    """(1, H, W, 3) bytes."""
    K: Tensor
    view: Tensor


def load_shot(photo: Photo, world: World, device: str) -> Shot:
    """The photo with its camera in the frame of `world`."""
    view = photo.cam_from_world.copy()
    view[:3, 3] = world.scale * (view[:3, :3] @ world.centre + view[:3, 3])
    return Shot(
        pixels=torch.from_numpy(photo.pixels).to(device)[None],
        K=torch.from_numpy(photo.K).float().to(device)[None],
        view=torch.from_numpy(view).float().to(device)[None],
    )


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What training made, in the capture's own frame."""

    rows: Float32
    iterations: int
    seconds: float


class Published:
    """One training."""

    def __init__(self, scene: Scene, preset: Preset, iterations: int, device: str) -> None:
        torch.manual_seed(42)
        self._preset, self._iterations, self._device = preset, iterations, device
        self._factor = iterations / FULL_STEPS
        self._world = find_world(scene.training)
        self._shots = [load_shot(photo, self._world, device) for photo in scene.training]
        self._params = start_params(scene.start, self._world, preset, device)
        self._optimizers = make_optimizers(self._params, self._world.extent)
        self._fade = torch.optim.lr_scheduler.ExponentialLR(
            self._optimizers["means"], MEAN_RATE_LAST ** (1 / iterations)
        )
        self._strategy = make_strategy(preset.strategy, self._factor)
        self._strategy.check_sanity(self._params, self._optimizers)
        scaled = {"scene_scale": self._world.extent} if preset.strategy == "DefaultStrategy" else {}
        self._state = self._strategy.initialize_state(**scaled)
        self._queue: list[int] = []

    def train(self, max_seconds: float) -> Fitted:
        """All iterations, or as many as fit into the time."""
        start, step = time.perf_counter(), 0
        while step < self._iterations and time.perf_counter() - start < max_seconds:
            self._step(step)
            step += 1
        if self._device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        return Fitted(rows=rows_of(self._params, self._world), iterations=step, seconds=seconds)

    def _step(self, step: int) -> None:
        shot = self._shots[self._next_photo()]
        image, info = self._draw(shot, step)
        if self._preset.strategy == "DefaultStrategy":
            self._strategy.step_pre_backward(self._params, self._optimizers, self._state, step, info)
        self._loss(image, shot.pixels / 255.0).backward()
        for optimizer in self._optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._fade.step()
        extra: dict[str, Any] = {"packed": False}
        if self._preset.strategy == "MCMCStrategy":
            extra = {"lr": self._fade.get_last_lr()[0]}
        self._strategy.step_post_backward(self._params, self._optimizers, self._state, step, info, **extra)

    def _draw(self, shot: Shot, step: int) -> tuple[Tensor, dict[str, Any]]:
        params = self._params
        every = max(int(SH_EVERY * self._factor), 1)
        image, _, info = gsplat.rasterization(
            means=params["means"],
            quats=params["quats"],
            scales=params["scales"].exp(),
            opacities=params["opacities"].sigmoid(),
            colors=torch.cat([params["sh0"], params["shN"]], dim=1),
            viewmats=shot.view,
            Ks=shot.K,
            width=shot.pixels.shape[2],
            height=shot.pixels.shape[1],
            sh_degree=min(step // every, SH_DEGREE),
            packed=False,
        )
        return image, info

    def _loss(self, image: Tensor, target: Tensor) -> Tensor:
        dssim = 1 - ssim(image[0].permute(2, 0, 1), target[0].permute(2, 0, 1))
        loss = torch.lerp(F.l1_loss(image, target), dssim, DSSIM_WEIGHT)
        if self._preset.opacity_penalty:
            loss = loss + self._preset.opacity_penalty * self._params["opacities"].sigmoid().mean()
        if self._preset.scale_penalty:
            loss = loss + self._preset.scale_penalty * self._params["scales"].exp().mean()
        return loss

    def _next_photo(self) -> int:
        if not self._queue:
            self._queue = torch.randperm(len(self._shots)).tolist()
        return self._queue.pop()


def start_params(start: Gaussians, world: World, preset: Preset, device: str) -> torch.nn.ParameterDict:
    """Balls at the start's places with its colours, as large as their three nearest neighbours are far."""
    means = ((start.means - world.centre) * world.scale).astype(np.float32)
    count = len(means)
    squared = (KDTree(means).query(means, k=4, workers=-1)[0][:, 1:] ** 2).mean(axis=1)
    sizes = np.log(np.maximum(np.sqrt(squared), 1e-7) * preset.start_scale)
    values = {
        "means": torch.from_numpy(means),
        "scales": torch.from_numpy(sizes).float()[:, None].repeat(1, 3),
        "quats": torch.rand(count, 4),
        "opacities": torch.logit(torch.full((count,), preset.start_opacity)),
        "sh0": torch.from_numpy(start.sh_coeffs[:, :1].astype(np.float32)),
        "shN": torch.zeros(count, (SH_DEGREE + 1) ** 2 - 1, 3),
    }
    parameters = {name: torch.nn.Parameter(value.to(device)) for name, value in values.items()}
    return torch.nn.ParameterDict(parameters)


def make_optimizers(params: torch.nn.ParameterDict, extent: float) -> dict[str, torch.optim.Optimizer]:
    """One Adam for each kind of parameter."""
    rates = {"means": MEAN_RATE * extent, **RATES}
    return {
        name: torch.optim.Adam([{"params": params[name], "lr": rate, "name": name}], eps=1e-15, fused=True)
        for name, rate in rates.items()
    }


def make_strategy(name: str, factor: float) -> Any:
    """gsplat's strategy with its step counts multiplied by `factor`."""
    strategy = getattr(gsplat, name)()
    for steps in SCALED_STEPS:
        if hasattr(strategy, steps):
            setattr(strategy, steps, max(int(getattr(strategy, steps) * factor), LEAST_STEPS))
    return strategy


def rows_of(params: torch.nn.ParameterDict, world: World) -> Float32:
    """The rows of our trainer for these parameters, back in the capture's own frame."""
    values = {name: value.detach().cpu().numpy() for name, value in params.items()}
    return np.concatenate(
        [
            values["means"] / world.scale + world.centre,
            values["quats"],
            values["scales"] - np.log(world.scale),
            values["opacities"][:, None],
            values["sh0"].reshape(len(values["sh0"]), -1),
            values["shN"].reshape(len(values["shN"]), -1),
        ],
        axis=1,
    ).astype(np.float32)


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity of (3, H, W) over the pixels whose whole window lies inside."""
    down, across = (blur_matrix(size, image.device) for size in image.shape[1:])
    stack = torch.cat([image, target, image * image, target * target, image * target])
    a, b, aa, bb, ab = (down @ stack @ across.T).split(3)
    top = (2 * a * b + SSIM_C1) * (2 * (ab - a * b) + SSIM_C2)
    bottom = (a * a + b * b + SSIM_C1) * (aa - a * a + bb - b * b + SSIM_C2)
    return (top / bottom).mean()


_MATRICES: dict[tuple[int, torch.device], Tensor] = {}


def blur_matrix(size: int, device: torch.device) -> Tensor:
    """(size - 10, size): a Gaussian window of 11 around each pixel that has room for it."""
    if (size, device) not in _MATRICES:
        offsets = torch.arange(size)[None] - torch.arange(SSIM_RADIUS, size - SSIM_RADIUS)[:, None]
        weights = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA**2)) * (offsets.abs() <= SSIM_RADIUS)
        _MATRICES[size, device] = (weights / weights.sum(dim=1, keepdim=True)).to(device)
    return _MATRICES[size, device]
