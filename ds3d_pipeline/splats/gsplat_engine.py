"""Drawing and its gradient on an NVIDIA GPU through gsplat (Ye et al. 2024), in place of our own kernels.

Everything else of the training stays as it is: recipe, growth, exposure, optimiser, checkpoints, scores.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3d_pipeline.scene import Float32
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, MEAN, QUAT, SH
from ds3d_pipeline.splats.kernels.projection import BLUR, CX, CY, FX, FY, HEIGHT, NEAR, WIDTH
from ds3d_pipeline.splats.kernels.render import RowGradients


def why_no_gsplat() -> str | None:
    """None if gsplat can train here, else a sentence about what is missing."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch with CUDA is not installed."
    if importlib.util.find_spec("gsplat") is None:
        return "gsplat is not installed."
    torch = importlib.import_module("torch")

    return None if torch.cuda.is_available() else "PyTorch finds no CUDA device."


@dataclass(frozen=True, kw_only=True)
class GsplatRendering:
    """A drawn picture with the graph that its gradient goes back through."""

    image: Float32
    """(3, H, W)."""
    visible: np.ndarray
    """(N,) which Gaussians reach into the picture."""
    rows: Any
    colors: Any
    info: dict[str, Any]


class GsplatEngine:
    """`render.KernelEngine` on the GPU."""

    def __init__(self, device: str = "cuda") -> None:
        """`device` as PyTorch names it; gsplat's own kernels run on CUDA devices alone."""
        self._device = device

    def render(self, rows: Float32, camera: Float32, sh_degree: int, background: Float32) -> GsplatRendering:
        """Draws rows (N, D) with the flat camera of `projection.camera_row`."""
        torch = importlib.import_module("torch")
        rasterization = importlib.import_module("gsplat").rasterization

        values = torch.from_numpy(rows).to(self._device).requires_grad_()
        view, K = _matrices(camera)
        colors, _, info = rasterization(
            means=values[:, MEAN:QUAT],
            quats=values[:, QUAT:LOG_SCALE],
            scales=values[:, LOG_SCALE:LOGIT].exp(),
            opacities=values[:, LOGIT].sigmoid(),
            colors=values[:, SH:].reshape(len(rows), -1, 3),
            viewmats=torch.from_numpy(view).to(self._device)[None],
            Ks=torch.from_numpy(K).to(self._device)[None],
            width=int(camera[WIDTH]),
            height=int(camera[HEIGHT]),
            sh_degree=sh_degree,
            near_plane=float(NEAR),
            eps2d=float(BLUR),
            backgrounds=torch.from_numpy(background).to(self._device)[None],
            packed=False,
            absgrad=True,
        )
        info["means2d"].retain_grad()
        image = np.ascontiguousarray(colors[0].detach().permute(2, 0, 1).cpu().numpy())
        visible = (info["radii"].reshape(len(rows), -1) > 0).all(dim=1).cpu().numpy()
        return GsplatRendering(image=image, visible=visible, rows=values, colors=colors, info=info)

    def backward(
        self,
        rows: Float32,
        camera: Float32,
        sh_degree: int,
        drawn: GsplatRendering,
        image_grad: Float32,
    ) -> RowGradients:
        """The gradient by `rows` of a loss whose gradient by the drawn image is `image_grad` (3, H, W)."""
        torch = importlib.import_module("torch")

        drawn.colors.backward(torch.from_numpy(image_grad).to(self._device).permute(1, 2, 0)[None])
        absgrad = drawn.info["means2d"].absgrad.reshape(len(rows), 2).norm(dim=1)
        return RowGradients(rows=drawn.rows.grad.cpu().numpy(), absgrad=absgrad.cpu().numpy())


def _matrices(camera: Float32) -> tuple[Float32, Float32]:
    """cam_from_world (4, 4) and K (3, 3) of a flat camera."""
    view, K = np.eye(4, dtype=np.float32), np.eye(3, dtype=np.float32)
    view[:3, :3], view[:3, 3] = camera[:9].reshape(3, 3), camera[9:12]
    K[0, 0], K[1, 1], K[0, 2], K[1, 2] = camera[FX], camera[FY], camera[CX], camera[CY]
    return view, K
