"""Files that come back as they were written, whatever is in them."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.formats.colmap import read_array, read_reconstruction, write_array, write_reconstruction
from ds3d_pipeline.formats.gltf import read_glb, write_glb
from ds3d_pipeline.formats.ply import read_pointcloud, write_pointcloud
from ds3d_pipeline.formats.splat_ply import read_splat_ply, write_splat_ply
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.geometry.cameras import intrinsics, project
from ds3d_pipeline.geometry.conventions import WORLD_FROM_GLTF
from ds3d_pipeline.scene import Gaussians, Mesh, PointCloud, Reconstruction, View
from ds3d_pipeline_tests.properties.strategies import arrays32, floats, rotations, seeds
from ds3d_pipeline_tests.splats.spz import read_spz

counts = st.integers(1, 12)
colors = st.integers(0, 255)


@st.composite
def clouds(draw, min_size=0):
    """Any point cloud."""
    count = draw(st.integers(min_size, 12))
    return PointCloud(
        points_in_world=draw(arrays32((count, 3), -1e6, 1e6)),
        normals=draw(arrays32((count, 3), -1, 1)),
        colors=draw(nps.arrays(np.uint8, (count, 3))),
    )


@st.composite
def splats(draw, log_scale=(-50, 50), color=(-50, 50), mean=1e5):
    """Any splat whose rotations are rotations."""
    count, sh_count = draw(counts), draw(st.sampled_from([1, 4, 9, 16]))
    quats = draw(arrays32((count, 4), -1, 1)) + np.float32([2, 0, 0, 0])
    return Gaussians(
        means=draw(arrays32((count, 3), -mean, mean)),
        quats_wxyz=quats / np.linalg.norm(quats, axis=1, keepdims=True),
        log_scales=draw(arrays32((count, 3), *log_scale)),
        opacity_logits=draw(arrays32(count, -4, 4)),
        sh_coeffs=draw(arrays32((count, sh_count, 3), *color)),
    )


@st.composite
def meshes(draw):
    """Any mesh with vertex colours."""
    count, faces = draw(st.integers(3, 12)), draw(st.integers(1, 12))
    return Mesh(
        vertices_in_world=draw(arrays32((count, 3), -100, 100)),
        faces=draw(nps.arrays(np.int32, (faces, 3), elements=st.integers(0, count - 1))),
        vertex_colors=draw(nps.arrays(np.uint8, (count, 3))),
    )


def assert_same(found, expected):
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)


@given(clouds())
def test_point_clouds_come_back_exactly(scratch, cloud):
    write_pointcloud(scratch / "cloud.ply", cloud)
    assert_same(read_pointcloud(scratch / "cloud.ply"), cloud)


@given(splats())
def test_splat_plys_come_back_exactly(scratch, splat):
    write_splat_ply(scratch / "splat.ply", splat)
    assert_same(read_splat_ply(scratch / "splat.ply"), splat)


@given(splats(log_scale=(-10, 5.9), color=(-0.9, 0.9), mean=1e3))
def test_spz_comes_back_as_fine_as_its_bytes_are(scratch, splat):
    write_spz(scratch / "splat.spz", splat)
    found = read_spz(scratch / "splat.spz")
    np.testing.assert_allclose(found.means, splat.means, atol=1e3 / 2**22)
    np.testing.assert_allclose(found.log_scales, splat.log_scales, atol=1 / 32 + 1e-5)
    np.testing.assert_allclose(found.sh_coeffs, splat.sh_coeffs, atol=1 / 75)
    opacity, expected = (1 / (1 + np.exp(-logits)) for logits in (found.opacity_logits, splat.opacity_logits))
    np.testing.assert_allclose(opacity, expected, atol=0.6 / 255)
    assert (np.abs((found.quats_wxyz * splat.quats_wxyz).sum(axis=1)) > np.cos(np.radians(0.5))).all()


@given(splats(log_scale=(-10, 5.9), color=(-0.9, 0.9), mean=1e3))
def test_equal_splats_give_equal_spz_files(scratch, splat):
    write_spz(scratch / "first.spz", splat)
    write_spz(scratch / "second.spz", splat)
    assert (scratch / "first.spz").read_bytes() == (scratch / "second.spz").read_bytes()


@given(meshes())
def test_meshes_come_back_in_the_world_with_their_colours(scratch, mesh):
    write_glb(scratch / "model.glb", mesh)
    found, world_from_gltf = read_glb(scratch / "model.glb")
    np.testing.assert_array_equal(world_from_gltf, WORLD_FROM_GLTF)
    np.testing.assert_allclose(found.vertices_in_world, mesh.vertices_in_world, atol=3e-5)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    np.testing.assert_array_equal(found.vertex_colors, mesh.vertex_colors)


@given(
    nps.arrays(np.float32, nps.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=floats(-9, 9, 32))
)
def test_colmaps_maps_come_back_exactly(scratch, values):
    write_array(scratch / "map.bin", values)
    expected = values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values
    np.testing.assert_array_equal(read_array(scratch / "map.bin"), expected)


@st.composite
def models(draw):
    """Cameras around the origin that see all of its points; each point is seen by at least two."""
    random = np.random.default_rng(draw(seeds))
    views, count = draw(st.integers(2, 4)), draw(st.integers(1, 10))
    K = intrinsics(draw(floats(50, 2000)), (64, 48))
    poses = []
    for _ in range(views):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = draw(rotations), (0, 0, 10)
        poses.append(pose)
    return Reconstruction(
        views=tuple(
            View(
                image=f"{number:03d}.jpg",
                image_size_wh=(64, 48),
                K=K,
                cam_from_world=pose,
                point_ids=np.arange(count, dtype=np.int32),
            )
            for number, pose in enumerate(poses)
        ),
        points_in_world=random.uniform(-1, 1, (count, 3)),
        colors=random.integers(0, 256, (count, 3), np.uint8),
        errors_px=random.uniform(0, 2, count),
        track_lengths=np.full(count, views, np.int32),
    )


@given(models())
def test_reconstructions_come_back(scratch, model):
    write_reconstruction(scratch / "sparse", model)
    found = read_reconstruction(scratch / "sparse")
    for name in ("points_in_world", "colors", "errors_px", "track_lengths"):
        np.testing.assert_allclose(getattr(found, name), getattr(model, name), err_msg=name)
    for view, expected in zip(found.views, model.views, strict=True):
        assert (view.image, view.image_size_wh) == (expected.image, expected.image_size_wh)
        np.testing.assert_allclose(view.K, expected.K)
        np.testing.assert_allclose(view.cam_from_world, expected.cam_from_world, atol=1e-9)
        np.testing.assert_array_equal(view.point_ids, expected.point_ids)
        assert np.isfinite(project(view.K, view.cam_from_world, found.points_in_world)[0]).all()


READERS = {
    "cloud.ply": (read_pointcloud, StageError),
    "splat.ply": (read_splat_ply, InputError),
    "model.glb": (read_glb, StageError),
    "map.bin": (read_array, StageError),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """One sound file of every format, as bytes."""
    folder = tmp_path_factory.mktemp("samples")
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    rgb = np.uint8([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    splat = Gaussians(
        means=vertices,
        quats_wxyz=np.float32([[1, 0, 0, 0]] * 3),
        log_scales=vertices - 3,
        opacity_logits=np.zeros(3, np.float32),
        sh_coeffs=vertices[:, None],
    )
    write_pointcloud(folder / "cloud.ply", PointCloud(points_in_world=vertices, normals=vertices, colors=rgb))
    write_splat_ply(folder / "splat.ply", splat)
    face = np.int32([[0, 1, 2]])
    write_glb(folder / "model.glb", Mesh(vertices_in_world=vertices, faces=face, vertex_colors=rgb))
    write_array(folder / "map.bin", vertices)
    return {name: (folder / name).read_bytes() for name in READERS}


@pytest.mark.parametrize("name", READERS)
@given(st.data())
def test_a_cut_file_is_always_refused(scratch, samples, name, data):
    length = data.draw(st.integers(0, len(samples[name]) - 1))
    (scratch / name).write_bytes(samples[name][:length])
    read, error = READERS[name]
    with pytest.raises(error, match=name):
        read(scratch / name)


@pytest.mark.parametrize("name", READERS)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(scratch, samples, name, data):
    damaged = bytearray(samples[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    (scratch / name).write_bytes(bytes(damaged))
    read, error = READERS[name]
    with contextlib.suppress(error):
        read(scratch / name)
