"""The scenes: solids with textures, as one triangle mesh that is the exact truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3d_pipeline.scene import Float64, Int32, Mesh
from ds3d_pipeline.synthetic.options import SceneName, SceneOptions
from ds3d_pipeline.synthetic.solids import (
    Solid,
    box,
    cylinder,
    height_field,
    revolution,
    sheet,
    sphere,
    torus,
)
from ds3d_pipeline.synthetic.texture import Textures, make_textures

Rgb = tuple[float, float, float]
PALETTES: dict[str, list[Rgb]] = {
    "stone": [
        (0.62, 0.58, 0.52),
        (0.42, 0.39, 0.36),
        (0.74, 0.71, 0.66),
        (0.33, 0.34, 0.38),
        (0.56, 0.48, 0.40),
    ],
    "plaster": [
        (0.80, 0.76, 0.68),
        (0.66, 0.68, 0.64),
        (0.86, 0.83, 0.78),
        (0.58, 0.55, 0.55),
        (0.74, 0.64, 0.55),
    ],
    "brick": [
        (0.66, 0.32, 0.24),
        (0.52, 0.25, 0.20),
        (0.76, 0.46, 0.34),
        (0.40, 0.22, 0.20),
        (0.72, 0.62, 0.52),
    ],
    "moss": [
        (0.30, 0.44, 0.22),
        (0.46, 0.56, 0.28),
        (0.20, 0.30, 0.18),
        (0.62, 0.62, 0.34),
        (0.38, 0.36, 0.24),
    ],
    "sea": [
        (0.18, 0.36, 0.56),
        (0.30, 0.54, 0.68),
        (0.12, 0.22, 0.40),
        (0.62, 0.76, 0.80),
        (0.24, 0.42, 0.44),
    ],
    "ochre": [
        (0.80, 0.62, 0.26),
        (0.62, 0.44, 0.18),
        (0.90, 0.80, 0.50),
        (0.44, 0.30, 0.16),
        (0.84, 0.70, 0.44),
    ],
    "plum": [
        (0.48, 0.24, 0.42),
        (0.66, 0.42, 0.58),
        (0.32, 0.16, 0.32),
        (0.80, 0.68, 0.74),
        (0.54, 0.34, 0.34),
    ],
    "paint": [(0.78, 0.76, 0.71), (0.79, 0.77, 0.72)],
    "enamel": [(0.36, 0.52, 0.55), (0.37, 0.53, 0.56)],
    "blank": [(0.82, 0.81, 0.78)],
}
PATCH_M = {
    "stone": 0.06,
    "plaster": 0.08,
    "brick": 0.03,
    "moss": 0.03,
    "sea": 0.03,
    "ochre": 0.035,
    "plum": 0.03,
    "paint": 0.1,
    "enamel": 0.1,
    "blank": 0.1,
}
GRAIN = dict.fromkeys(PALETTES, 0.5) | {"paint": 0.02, "enamel": 0.02, "blank": 0.0}


@dataclass(frozen=True, kw_only=True)
class SyntheticScene:
    """One triangle mesh in world metres (+y down, the floor at y = 0) and how its surface looks."""

    vertices: Float64
    """(V, 3)."""
    normals: Float64
    """(V, 3) unit, outwards, for shading."""
    faces: Int32
    """(F, 3) counter-clockwise seen from outside."""
    texture_ids: Int32
    """(F,) indices of `textures`."""
    textures: Textures
    target: Float64
    """(3,) what the cameras look at."""

    def mesh(self) -> Mesh:
        """The truth as the pipeline's record."""
        return Mesh(vertices_in_world=self.vertices.astype(np.float32), faces=self.faces)


def make_scene(options: SceneOptions) -> SyntheticScene:
    """The named scene; the same options give the same scene, bit by bit."""
    solids = _SCENES[options.name](np.random.default_rng(options.seed))
    used = {name for _, name in solids}
    names = [name for name in PALETTES if name in used]
    offsets = np.cumsum([0] + [len(solid.vertices) for solid, _ in solids[:-1]])
    faces = [solid.faces + offset for (solid, _), offset in zip(solids, offsets, strict=True)]
    ids = [np.full(len(solid.faces), names.index(name), dtype=np.int32) for solid, name in solids]
    return SyntheticScene(
        vertices=np.concatenate([solid.vertices for solid, _ in solids]),
        normals=np.concatenate([solid.normals for solid, _ in solids]),
        faces=np.concatenate(faces).astype(np.int32),
        texture_ids=np.concatenate(ids),
        textures=_textures(names, options.seed),
        target=np.array(_TARGETS[options.name]),
    )


def _textures(names: list[str], seed: int) -> Textures:
    patch_m, grain = ([table[name] for name in names] for table in (PATCH_M, GRAIN))
    return make_textures([PALETTES[name] for name in names], patch_m, grain, seed)


def _tabletop(random: np.random.Generator) -> list[tuple[Solid, str]]:
    """Solids on the floor of a room's corner, the walls behind (+z) and to the left (-x)."""
    turn = random.uniform(-25, 25, size=4)
    return [
        (sheet((6.4, 4.4)).moved((1.9, 0, -1.2)), "stone"),
        (sheet((6.4, 2.6)).moved((1.9, -1.3, 1.0), 90, (1, 0, 0)), "plaster"),
        (sheet((2.6, 4.4)).moved((-1.3, -1.3, -1.2), 90, (0, 0, 1)), "plaster"),
        (_relief(random, (0.9, 0.6), 0.06).moved((0.15, -0.62, 1.001), 90, (1, 0, 0)), "ochre"),
        (box((0.46, 0.24, 0.34)).moved((-0.22, 0, 0.42), turn[0]), "brick"),
        (box((0.20, 0.42, 0.20)).moved((0.42, 0, 0.40), 20 + turn[1]), "sea"),
        (box((0.24, 0.12, 0.18)).moved((-0.20, -0.24, 0.42), 30 + turn[2]), "moss"),
        (sphere(0.14).moved((0.14, 0, 0.05), turn[3], (1, 0, 0)), "plum"),
        (cylinder(0.09, 0.22).moved((-0.48, 0, -0.02)), "ochre"),
        (torus(0.13, 0.045).moved((-0.14, 0, -0.26)), "sea"),
        (revolution(_vase_profile()).moved((0.52, 0, -0.10)), "brick"),
        (sphere(0.07, 48).moved((-0.48, -0.22, -0.02)), "moss"),
    ]


def _painted(random: np.random.Generator) -> list[tuple[Solid, str]]:
    """The tabletop with a painted room: edges and shading are all that its planes offer."""
    new = {"stone": "paint", "plaster": "paint", "brick": "enamel"}
    return [(solid, new.get(name, name)) for solid, name in _tabletop(random)]


def _slender(random: np.random.Generator) -> list[tuple[Solid, str]]:
    """Ramps from 35 to 70 degrees, upright boards a centimetre thick, and posts of 2.5 cm down to 1 cm."""
    turn = random.uniform(-6, 6, size=3)
    ramps = [
        (box((0.40, 0.02, 0.50)).moved((-0.42, -0.02, 0.30), 35 + turn[0], (1, 0, 0)), "brick"),
        (box((0.34, 0.02, 0.46)).moved((0.02, -0.02, 0.42), 55 + turn[1], (1, 0, 0)), "moss"),
        (box((0.34, 0.02, 0.46)).moved((0.44, -0.02, 0.42), 70 + turn[2], (1, 0, 0)), "sea"),
    ]
    boards = [
        (box((0.01, 0.30, 0.30)).moved((x, 0, -0.12), angle), "plum")
        for x, angle in ((-0.58, 20), (-0.36, 65), (0.58, -30))
    ]
    posts = [
        (box((width, 0.34, width)).moved((x, 0, -0.20), 12 * index), "ochre")
        for index, (x, width) in enumerate(zip(np.linspace(-0.16, 0.36, 6), _POST_M, strict=True))
    ]
    rail = (box((0.60, 0.02, 0.012)).moved((0.10, -0.34, -0.20)), "brick")
    floor = (sheet((4.4, 3.4)).moved((0.4, 0, -0.6)), "stone")
    wall = (sheet((4.4, 2.0)).moved((0.4, -1.0, 1.1), 90, (1, 0, 0)), "plaster")
    return [floor, wall, *ramps, *boards, *posts, rail]


_POST_M = (0.025, 0.022, 0.019, 0.016, 0.013, 0.010)


def _bumpy_wall(random: np.random.Generator) -> list[tuple[Solid, str]]:
    return [(_relief(random, (2.6, 2.0), 0.15).moved((0, -0.6, 0.4), 90, (1, 0, 0)), "stone")]


def _vase_profile() -> list[tuple[float, float]]:
    height = np.linspace(0, 0.34, 41)
    radius = (
        0.075 + 0.035 * np.sin(2 * np.pi * height / 0.34 + 0.3) + 0.01 * np.cos(9 * np.pi * height / 0.34)
    )
    side = list(zip(radius.tolist(), height.tolist(), strict=True))
    return [(0, 0), side[0], *side, side[-1], (0, 0.34)]


def _relief(random: np.random.Generator, size: tuple[float, float], height: float, cells: int = 72) -> Solid:
    """A sheet with smooth bumps up to `height`, flat at its rim."""
    x, z = np.meshgrid(np.linspace(-1, 1, cells), np.linspace(-1, 1, cells))
    heights = np.zeros_like(x)
    for _ in range(14):
        centre, width = random.uniform(-0.8, 0.8, size=2), random.uniform(0.12, 0.4)
        bump = np.exp(-((x - centre[0]) ** 2 + (z - centre[1]) ** 2) / (2 * width**2))
        heights += random.uniform(-0.6, 1.0) * bump
    rim = np.clip(8 * (1 - np.maximum(np.abs(x), np.abs(z))), 0, 1)
    return height_field(size, height * (heights - heights.min()) / np.ptp(heights) * rim)


def _plain(random: np.random.Generator) -> list[tuple[Solid, str]]:
    return [(solid, "blank") for solid, _ in _tabletop(random)]


_SCENES = {
    "tabletop": _tabletop,
    "relief": _bumpy_wall,
    "slender": _slender,
    "painted": _painted,
    "plain": _plain,
}
_TARGETS: dict[SceneName, tuple[float, float, float]] = {
    "tabletop": (0.0, -0.2, 0.15),
    "relief": (0.0, -0.6, 0.4),
    "slender": (0.0, -0.15, 0.15),
    "painted": (0.0, -0.2, 0.15),
    "plain": (0.0, -0.2, 0.15),
}
