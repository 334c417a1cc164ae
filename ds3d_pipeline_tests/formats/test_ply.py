"""Point clouds as PLY: round trips, foreign readers, damaged files."""

import numpy as np
import pytest
import trimesh

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.ply import read_pointcloud, write_pointcloud
from ds3d_pipeline.scene import PointCloud


def make_cloud(count: int) -> PointCloud:
    random = np.random.default_rng(3)
    normals = random.normal(size=(count, 3))
    return PointCloud(
        points_in_world=random.normal(size=(count, 3)).astype(np.float32),
        normals=(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        colors=random.integers(0, 256, (count, 3)).astype(np.uint8),
    )


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_round_trip_is_exact(tmp_path, count):
    cloud = make_cloud(count)
    write_pointcloud(tmp_path / "pointcloud.ply", cloud)
    back = read_pointcloud(tmp_path / "pointcloud.ply")
    np.testing.assert_array_equal(back.points_in_world, cloud.points_in_world)
    np.testing.assert_array_equal(back.normals, cloud.normals)
    np.testing.assert_array_equal(back.colors, cloud.colors)
    assert [file.name for file in tmp_path.iterdir()] == ["pointcloud.ply"]


def test_trimesh_reads_the_same_points(tmp_path):
    cloud = make_cloud(50)
    write_pointcloud(tmp_path / "pointcloud.ply", cloud)
    theirs = trimesh.load(tmp_path / "pointcloud.ply")
    np.testing.assert_allclose(theirs.vertices, cloud.points_in_world, rtol=1e-6)
    np.testing.assert_array_equal(theirs.colors[:, :3], cloud.colors)


def test_reads_other_orders_and_types(tmp_path):
    """Doubles, colours first, an extra property and an element after the vertices."""
    names = ["red", "green", "blue", "label", "nx", "ny", "nz", "x", "y", "z"]
    types = ["uchar"] * 3 + ["int"] + ["float"] * 3 + ["double"] * 3
    formats = {"uchar": "u1", "int": "<i4", "float": "<f4", "double": "<f8"}
    vertices = np.zeros(2, [(n, formats[t]) for n, t in zip(names, types, strict=True)])
    vertices["y"], vertices["nz"], vertices["blue"] = [1.5, 2.5], -1, [7, 8]
    lines = ["ply", "format binary_little_endian 1.0", "comment made by hand", "element vertex 2"]
    lines += [f"property {t} {n}" for n, t in zip(names, types, strict=True)]
    lines += ["element face 0", "property list uchar int vertex_indices", "end_header"]
    path = tmp_path / "other.ply"
    path.write_bytes(("\n".join(lines) + "\n").encode() + vertices.tobytes())
    cloud = read_pointcloud(path)
    np.testing.assert_array_equal(cloud.points_in_world, [[0, 1.5, 0], [0, 2.5, 0]])
    np.testing.assert_array_equal(cloud.normals, [[0, 0, -1], [0, 0, -1]])
    np.testing.assert_array_equal(cloud.colors, [[0, 0, 7], [0, 0, 8]])


def test_damaged_files_are_named(tmp_path):
    write_pointcloud(tmp_path / "whole.ply", make_cloud(20))
    whole = (tmp_path / "whole.ply").read_bytes()
    broken = {
        "short.ply": whole[:-1],
        "text.ply": b"hello\n",
        "bare.ply": whole.replace(b"nx", b"qx"),
        "empty.ply": b"",
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    for name in [*broken, "missing.ply"]:
        with pytest.raises(StageError, match=name):
            read_pointcloud(tmp_path / name)
