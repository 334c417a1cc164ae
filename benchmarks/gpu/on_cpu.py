"""gsplat without CUDA, for the dry run: its own PyTorch reference, and in PyTorch here what that lacks."""

from __future__ import annotations

from typing import Any

import gsplat
import torch
from gsplat.cuda import _torch_impl as reference
from gsplat.strategy import ops
from torch import Tensor

from benchmarks.gpu import published

MOST_ALPHA, LEAST_ALPHA, MIN_TRANSMITTANCE = 0.999, 1 / 255, 1e-4
"""As in gsplat's kernels."""
LEAST_STEPS = 10
"""Fewer than so many between two growths would let a splat of a few iterations grow at every one."""


def use_reference() -> None:
    """Puts what runs here in the place of gsplat's kernels, in this process alone."""
    gsplat.rasterization = rasterization
    ops.compute_relocation = relocation
    ops.quat_scale_to_covar_preci = reference._quat_scale_to_covar_preci
    published.LEAST_STEPS = LEAST_STEPS


def rasterization(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    *,
    sh_degree: int,
    near_plane: float = 0.01,
    eps2d: float = 0.3,
    backgrounds: Tensor | None = None,
    packed: bool = False,
    absgrad: bool = False,
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """`gsplat.rasterization` of one camera. gsplat's reference projects and shades; its list of which
    Gaussian touches which pixel is a CUDA kernel, so here every Gaussian is tried on every pixel.
    """
    covars, _ = reference._quat_scale_to_covar_preci(quats, scales, True, False)
    radii, means2d, depths, conics, _ = reference._fully_fused_projection(
        means, covars, viewmats, Ks, width, height, eps2d=eps2d, near_plane=near_plane
    )
    if absgrad and means2d.requires_grad:
        means2d.register_hook(lambda grad: setattr(means2d, "absgrad", grad.abs()))
    directions = means - torch.inverse(viewmats)[0, :3, 3]
    shaded = (reference._spherical_harmonics(sh_degree, directions, colors) + 0.5).clamp_min(0)
    order = depths[0].argsort()
    order = order[(radii[0, order] > 0).all(dim=-1)]
    weights, transmittance = _weights(means2d[0, order], conics[0, order], opacities[order], width, height)
    image = weights.T @ shaded[order]
    if backgrounds is not None:
        image = image + transmittance[:, None] * backgrounds[0]
    info = {"means2d": means2d, "radii": radii, "width": width, "height": height, "n_cameras": 1}
    shape = (1, height, width, -1)
    return image.reshape(shape), (1 - transmittance).reshape(shape), {**info, "gaussian_ids": None}


def _weights(
    means: Tensor, conics: Tensor, opacities: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor]:
    """How much each of the Gaussians (G,), nearest first, shows in each pixel, and what is left (P,)."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    offsets = torch.stack([x, y], dim=-1).reshape(1, -1, 2) - means[:, None]
    dx, dy = offsets.unbind(-1)
    a, b, c = (value[:, None] for value in conics.unbind(-1))
    alphas = opacities[:, None] * torch.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
    alphas = torch.where(alphas >= LEAST_ALPHA, alphas.clamp_max(MOST_ALPHA), 0)
    transmittance = torch.cumprod(1 - alphas, dim=0)
    before = torch.cat([torch.ones_like(transmittance[:1]), transmittance[:-1]])
    drawn = transmittance > MIN_TRANSMITTANCE
    weights = torch.where(drawn, alphas * before, 0)
    return weights, 1 - weights.sum(dim=0)


def relocation(opacities: Tensor, scales: Tensor, ratios: Tensor, binoms: Tensor) -> tuple[Tensor, Tensor]:
    """`gsplat.relocation.compute_relocation`: equation 9 of 3DGS-MCMC (Kheradmand et al. 2024)."""
    counts = ratios.clamp(1, len(binoms))
    shared = 1 - (1 - opacities) ** (1 / counts)
    powers = torch.arange(len(binoms))
    signs = (-1.0) ** powers / torch.sqrt(powers + 1.0)
    terms = signs * shared[:, None] ** (powers + 1)
    sums = torch.cumsum(terms @ binoms.T, dim=1)
    return shared, (opacities / sums.gather(1, counts[:, None].long() - 1)[:, 0])[:, None] * scales
