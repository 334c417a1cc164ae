"""Where Gaussians are added and which are dropped while training.

Growth follows a budget (Taming 3DGS, Mallick et al. 2024): the number of Gaussians is prescribed over time,
and those with the largest screen-space gradients since the last time are split. A split leaves the rendering
nearly as it was (Bulo et al., "Revising Densification", 2024): two children along the longest axis divide the
parent's light.
"""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.geometry.transforms import rotation_from_quat_wxyz
from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.adam import AdamState
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, QUAT

_APART, _SHRINK = 0.6, 0.75
"""Distance of a child from its parent's centre and its length, in the parent's standard deviations."""


def densify(
    rows: Float32,
    state: AdamState,
    absgrad: Float32,
    *,
    wanted: int,
    dead_opacity: float,
    rng: np.random.Generator,
) -> tuple[Float32, AdamState]:
    """Drops Gaussians fainter than `dead_opacity` and splits others until there are `wanted`.

    `absgrad` (N,) are the absolute screen-space gradients; parents are drawn by them without replacement.
    """
    alive = np.flatnonzero(rows[:, LOGIT] > np.log(dead_opacity / (1 - dead_opacity)))
    weights = absgrad[alive].astype(np.float64)
    growth = min(max(wanted - len(alive), 0), int(np.count_nonzero(weights)))
    parents = alive[_weighted_choice(weights, growth, rng)]
    index = np.concatenate([alive, parents])
    fresh = np.isin(index, parents)
    moved = rows[index]
    first, second = split(rows[parents])
    moved[np.searchsorted(alive, parents)] = first
    moved[len(alive) :] = second
    return moved, state.taking(index, fresh)


def split(parents: Float32) -> tuple[Float32, Float32]:
    """Two children for each parent row, on both sides of it along its longest axis."""
    longest = np.argmax(parents[:, LOG_SCALE:LOGIT], axis=1)
    each = np.arange(len(parents))
    axes = rotation_from_quat_wxyz(parents[:, QUAT:LOG_SCALE])[each, :, longest]
    offset = np.exp(parents[each, LOG_SCALE + longest]) * _APART
    child = parents.copy()
    child[each, LOG_SCALE + longest] += np.log(_SHRINK)
    child[:, LOGIT] = _child_logit(parents[:, LOGIT])
    first, second = child.copy(), child
    first[:, :3] += offset[:, None] * axes
    second[:, :3] -= offset[:, None] * axes
    return first, second


def _child_logit(logits: Float32) -> Float32:
    """Logits of the two children's opacity, 1 - (1 - o)^0.6 each."""
    transmittance = 1 / (1 + np.exp(logits.astype(np.float64)))
    opacity = np.clip(1 - transmittance**0.6, 1e-4, 1 - 1e-4)
    return np.log(opacity / (1 - opacity)).astype(np.float32)


def _weighted_choice(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` indices drawn by weight without replacement (Gumbel top-k, Kool et al. 2019), ascending."""
    with np.errstate(divide="ignore"):
        keys = np.log(weights) + rng.gumbel(size=len(weights))
    if count == 0:
        return np.zeros(0, np.int64)
    return np.sort(np.argpartition(keys, len(keys) - count)[len(keys) - count :])
