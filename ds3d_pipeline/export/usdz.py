"""The mesh as USDZ, by usd-core."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.export.placing import Placing
from ds3d_pipeline.formats.gltf import linear_from_srgb
from ds3d_pipeline.scene import Mesh


def write_usdz(path: Path, mesh: Mesh, placing: Placing) -> None:
    """Writes the mesh with its texture, or with the colours of its vertices, as Quick Look takes it.

    Raises InputError where it cannot be packed.
    """
    Sdf, Usd, UsdGeom, UsdUtils = _pxr("Sdf", "Usd", "UsdGeom", "UsdUtils")

    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        layer = Path(scratch) / "model.usdc"
        stage = Usd.Stage.CreateNew(str(layer))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/capture").GetPrim())
        shape = _usd_shape(stage, "/capture/mesh", mesh, placing)
        _usd_material(stage, "/capture/photos", shape, mesh, Path(scratch))
        stage.Save()
        packed = Path(scratch) / "packed.usdz"
        if not UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(layer)), str(packed)):
            raise InputError(f"{path.name} could not be packed.", "Export obj, and report this as a bug.")
        packed.replace(path)


def _usd_shape(stage: Any, place: str, mesh: Mesh, placing: Placing) -> Any:
    Sdf, UsdGeom, Vt = _pxr("Sdf", "UsdGeom", "Vt")

    shape = UsdGeom.Mesh.Define(stage, place)
    points = Vt.Vec3fArray.FromNumpy(placing.points(mesh.vertices_in_world).astype(np.float32))
    shape.CreatePointsAttr(points)
    shape.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
    shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.reshape(-1)))
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateDoubleSidedAttr(True)
    variables = UsdGeom.PrimvarsAPI(shape)
    if mesh.uvs is not None:
        kind = Sdf.ValueTypeNames.TexCoord2fArray
        uvs = variables.CreatePrimvar("st", kind, UsdGeom.Tokens.vertex)
        uvs.Set(Vt.Vec2fArray.FromNumpy(mesh.uvs.astype(np.float32)))
    elif mesh.vertex_colors is not None:
        kind = Sdf.ValueTypeNames.Color3fArray
        colors = variables.CreatePrimvar("displayColor", kind, UsdGeom.Tokens.vertex)
        linear = linear_from_srgb(mesh.vertex_colors / 255).astype(np.float32)
        colors.Set(Vt.Vec3fArray.FromNumpy(linear))
    return shape


def _usd_material(stage: Any, place: str, shape: Any, mesh: Mesh, folder: Path) -> None:
    """A matt surface with the texture, or with the colours of the vertices."""
    from PIL import Image

    Sdf, UsdShade = _pxr("Sdf", "UsdShade")

    kinds = Sdf.ValueTypeNames
    material = UsdShade.Material.Define(stage, place)
    surface = UsdShade.Shader.Define(stage, f"{place}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", kinds.Float).Set(1.0)
    variable = "st" if mesh.texture is not None else "displayColor"
    reader = UsdShade.Shader.Define(stage, f"{place}/reader")
    reader.CreateIdAttr("UsdPrimvarReader_float2" if variable == "st" else "UsdPrimvarReader_float3")
    reader.CreateInput("varname", kinds.String).Set(variable)
    kind = kinds.Float2 if variable == "st" else kinds.Float3
    color = reader.CreateOutput("result", kind)
    if mesh.texture is not None:
        Image.fromarray(mesh.texture).save(folder / "texture.jpg", quality=92)
        picture = UsdShade.Shader.Define(stage, f"{place}/picture")
        picture.CreateIdAttr("UsdUVTexture")
        picture.CreateInput("file", kinds.Asset).Set("texture.jpg")
        picture.CreateInput("sourceColorSpace", kinds.Token).Set("sRGB")
        picture.CreateInput("st", kinds.Float2).ConnectToSource(color)
        color = picture.CreateOutput("rgb", kinds.Float3)
    surface.CreateInput("diffuseColor", kinds.Color3f).ConnectToSource(color)
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", kinds.Token))
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)


def _pxr(*names: str) -> list[Any]:
    """Modules of OpenUSD, which has no types and is not always installed."""
    return [import_module(f"pxr.{name}") for name in names]
