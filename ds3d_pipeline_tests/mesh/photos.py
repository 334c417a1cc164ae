"""Photos of a coloured sheet, drawn from the mesh itself, so that a texture's truth is known."""

from dataclasses import replace

import cv2
import numpy as np

from ds3d_pipeline.mesh.render import render
from ds3d_pipeline_tests.mesh.shapes import grid_mesh, look_at

SIZE_WH = (240, 180)
CENTRES = [(-1.2, -0.3, -2.2), (-0.4, 0.2, -2.5), (0.4, -0.2, -2.5), (1.2, 0.3, -2.2)]


def pattern(points):
    """(N, 3) RGB of world points: waves a few pixels wide, nowhere near black or white."""
    x, y = points[:, 0], points[:, 1]
    waves = np.stack([np.sin(9 * x) * np.cos(7 * y), np.sin(5 * x + 8 * y), np.cos(11 * y - 3 * x)], axis=1)
    return np.round(120 + 60 * waves).astype(np.uint8)


def photographed_sheet(folder, gains=(1.0, 1.0, 1.0, 1.0), bump=0.1):
    """A coarse bare sheet, its views, and their photos in `folder`, one exposure each."""
    fine, coarse = grid_mesh(side=150, bump=bump), grid_mesh(side=50, bump=bump)
    fine = replace(fine, vertex_colors=pattern(fine.vertices_in_world))
    views = [look_at(c, size_wh=SIZE_WH, focal_px=230.0, name=f"{i}.png") for i, c in enumerate(CENTRES)]
    for view, gain in zip(views, gains, strict=True):
        photo = render(fine, view.K, view.cam_from_world, SIZE_WH).astype(float) * gain
        bgr = np.clip(np.round(photo), 0, 255).astype(np.uint8)[:, :, ::-1]
        cv2.imwrite(str(folder / view.image), bgr)
    return replace(coarse, vertex_colors=None), views
