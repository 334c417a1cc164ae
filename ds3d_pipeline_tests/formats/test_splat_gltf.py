import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.formats.splat_gltf import EXTENSION, write_splat_glb
from ds3d_pipeline.geometry.conventions import gltf_from_world
from ds3d_pipeline.splats.kernels.parameters import gaussians_from_rows
from ds3d_pipeline_tests.splats.scenes import random_rows


def read(path):
    content = path.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    document, buffer = json.loads(content[20 : 20 + length]), content[28 + length :]
    values = {}
    for name, index in document["meshes"][0]["primitives"][0]["attributes"].items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        columns = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        flat = np.frombuffer(buffer, "<f4", accessor["count"] * columns, view["byteOffset"])
        values[name.removeprefix(f"{EXTENSION}:")] = flat.reshape(-1, columns)
    return document, values


@pytest.mark.parametrize("degree", range(4))
def test_the_file_holds_the_splat_in_the_extensions_units(tmp_path, degree):
    splat = gaussians_from_rows(random_rows(50, degree, degree))
    write_splat_glb(tmp_path / "splat.glb", splat)
    document, values = read(tmp_path / "splat.glb")
    assert document["extensionsUsed"] == [EXTENSION]
    primitive = document["meshes"][0]["primitives"][0]
    assert primitive["mode"] == 0
    assert primitive["extensions"][EXTENSION]["kernel"] == "ellipse"
    np.testing.assert_array_equal(values["POSITION"], splat.means)
    np.testing.assert_allclose(values["SCALE"], np.exp(splat.log_scales), rtol=1e-6)
    np.testing.assert_allclose(values["OPACITY"][:, 0], 1 / (1 + np.exp(-splat.opacity_logits)), rtol=1e-5)
    matrices = Rotation.from_quat(values["ROTATION"]).as_matrix()
    np.testing.assert_allclose(
        matrices, Rotation.from_quat(splat.quats_wxyz, scalar_first=True).as_matrix(), atol=1e-5
    )
    assert sum(name.startswith("SH_DEGREE") for name in values) == (degree + 1) ** 2
    np.testing.assert_array_equal(
        values[f"SH_DEGREE_{degree}_COEF_{2 * degree}"], splat.sh_coeffs[:, (degree + 1) ** 2 - 1]
    )
    turn = Rotation.from_quat(document["nodes"][0]["rotation"])
    np.testing.assert_allclose(turn.apply(splat.means), gltf_from_world(splat.means), atol=1e-5)


def test_what_cannot_be_written_is_refused(tmp_path):
    rows = random_rows(3, 0, 0)
    with pytest.raises(ValueError, match="without Gaussians"):
        write_splat_glb(tmp_path / "a.glb", gaussians_from_rows(rows[:0]))
    rows[1, 7] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        write_splat_glb(tmp_path / "a.glb", gaussians_from_rows(rows))
    assert not list(tmp_path.iterdir())
