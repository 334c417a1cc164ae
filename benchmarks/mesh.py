"""How well a finished mesh shows what the photos show, as a table.

    python benchmarks/mesh.py FOLDER... [--views 0003.jpg 0008.jpg] [--side 768] [--pictures DIR]

FOLDER is a finished capture: `model.glb`, `images/`, `sparse/` and `metrics.json`. Each view named (by
default two) is drawn from the mesh at `--side` pixels: the share of the photo's pixels that the mesh covers,
PSNR over those, and PSNR after one gain a channel brings the mesh to that photo's exposure (a texture has one
exposure, photos differ). `--pictures` writes photo and mesh side by side. `--views` takes the user's own file
names or those in `images/`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.formats.colmap import model_folder, read_reconstruction
from ds3d_pipeline.formats.gltf import read_glb
from ds3d_pipeline.formats.images import read_rgb
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.mesh.render import rasterise, shade


def psnr(drawn, photo) -> float:
    return float(10 * np.log10(255**2 / max(((drawn - photo) ** 2).mean(), 1e-12)))


def compensated(drawn, photo):
    """`drawn` (N, 3) times the gain of each channel that fits `photo` best."""
    return drawn * (drawn * photo).sum(axis=0) / np.maximum((drawn * drawn).sum(axis=0), 1e-12)


def compare(mesh, view, folder, side):
    """Coverage, PSNR, PSNR after exposure compensation, and photo and mesh side by side."""
    scale = side / max(view.image_size_wh)
    size_wh = tuple(round(length * scale) for length in view.image_size_wh)
    photo = read_rgb(folder / "images" / view.image, size_wh=size_wh)
    K = K_scaled(view.K, np.array(size_wh) / view.image_size_wh)
    raster = rasterise(mesh.vertices_in_world, mesh.faces, K, view.cam_from_world, size_wh)
    picture, seen = shade(mesh, raster), raster.face_ids >= 0
    drawn, wanted = picture[seen].astype(float), photo[seen].astype(float)
    scores = (seen.mean(), psnr(drawn, wanted), psnr(compensated(drawn, wanted), wanted))
    return scores, np.concatenate([photo, picture], axis=1)


def chosen_views(reconstruction, metrics, names):
    source = {frame["image"]: frame["source"] for frame in metrics.get("keyframes", [])}
    views = reconstruction.views
    if not names:
        return [views[len(views) // 4], views[(2 * len(views)) // 3]]
    return [view for view in views if {view.image, source.get(view.image)} & set(names)]


def report(folder, args) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    mesh, _ = read_glb(folder / "model.glb")
    stage = metrics.get("stages", {}).get("mesh", {})
    side = 0 if mesh.texture is None else mesh.texture.shape[0]
    megabytes = (folder / "model.glb").stat().st_size / 1e6
    print(f"{folder.name} ({metrics.get('mode')}): {len(mesh.faces)} faces, texture {side}, "
          f"{megabytes:.1f} MB, mesh stage {stage.get('seconds', float('nan')):.1f} s")  # fmt: skip
    print(f"{'view':>20}{'covered %':>11}{'PSNR dB':>9}{'compensated dB':>16}")
    for view in chosen_views(read_reconstruction(model_folder(folder)), metrics, args.views):
        (covered, raw, after), picture = compare(mesh, view, folder, args.side)
        print(f"{view.image:>20}{100 * covered:11.1f}{raw:9.2f}{after:13.2f}")
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(args.pictures / f"{folder.name}-{view.image}.png"), picture[:, :, ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--views", nargs="+", metavar="IMAGE")
    parser.add_argument("--side", type=int, default=768)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    for folder in args.folders:
        report(folder, args)


if __name__ == "__main__":
    main()
