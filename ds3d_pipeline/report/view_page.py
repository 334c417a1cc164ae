"""`view.html`: mesh and splat of a finished capture in one file that any browser shows, without network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds3d_pipeline.formats.gltf import read_glb, write_glb
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.metrics.record import Metrics
from ds3d_pipeline.report.light_mesh import light_mesh
from ds3d_pipeline.report.templates import PAGE, page_environment
from ds3d_pipeline.report.view_scene import centres_in_world, describe_scene, read_model
from ds3d_pipeline.scene import Reconstruction
from ds3d_pipeline.splats.thinning import preview_splat

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_FACES = 40_000
MAX_GAUSSIANS = 80_000
"""Both together with three.js stay below 5 MB, however badly they compress."""

MODULES = ("parts.js", "ruler.js", "view.js", "standalone.js")
_IMPORT = re.compile(r"^import .*\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A file within the page: `kind` is mesh or splat."""

    kind: str
    data: str
    """Base64."""


def write_view(path: Path, metrics: Metrics, folder: Path, scratch: Path) -> bool:
    """Writes the page about the files in `folder`; returns False where there is neither mesh nor splat.

    `scratch` is an empty folder for what is in between. Raises StageError naming a file that is damaged.
    """
    model = read_model(folder)
    carried = tuple(_carry(folder, model, scratch))
    if not carried:
        return False
    page = page_environment().get_template("view.html").render(_content(metrics, model, carried))
    path.write_text(page, encoding="utf-8", errors="replace")
    return True


def _content(metrics: Metrics, model: Reconstruction | None, carried: tuple[Carried, ...]) -> dict[str, Any]:
    from markupsafe import Markup

    script = drawing_script()
    unit = None if isinstance(metrics.scale, str) else metrics.scale.unit
    return {
        "capture": metrics.capture,
        "carried": carried,
        "scene": _json(describe_scene(model, unit).to_json()),
        "words": _json(view_words()),
        "three": _compressed(PAGE / "vendor" / "three.js"),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _carry(folder: Path, model: Reconstruction | None, scratch: Path) -> Iterator[Carried]:
    if (folder / "model.glb").is_file():
        mesh, _ = read_glb(folder / "model.glb")
        write_glb(scratch / "light.glb", light_mesh(mesh, MAX_FACES))
        yield Carried(kind="mesh", data=_compressed(scratch / "light.glb"))
    if (folder / "model.splat.ply").is_file():
        splat = read_splat_ply(folder / "model.splat.ply")
        write_spz(scratch / "light.spz", preview_splat(splat, centres_in_world(model), MAX_GAUSSIANS))
        yield Carried(kind="splat", data=_base64((scratch / "light.spz").read_bytes()))


def drawing_script() -> str:
    """The page's own modules as one script: how to draw, and then what to draw."""
    text = "\n".join((PAGE / name).read_text(encoding="utf-8") for name in MODULES)
    return _IMPORT.sub("", text)


def view_words() -> dict[str, dict[str, str]]:
    """The sentences of the view, by language."""
    files = sorted((PAGE / "i18n").glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8"))["view"] for path in files}


def _compressed(path: Path) -> str:
    return _base64(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _json(value: Any) -> Markup:
    """As the content of a script element: nothing in it can end that element."""
    from markupsafe import Markup

    return Markup(json.dumps(value, ensure_ascii=True).replace("<", "\\u003c"))
