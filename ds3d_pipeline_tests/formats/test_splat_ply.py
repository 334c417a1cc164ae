"""The splat PLY against gsply and against its own reader."""

from dataclasses import fields, replace
from pathlib import Path

import gsply
import numpy as np
import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.splat_ply import read_splat_ply, write_gzip, write_splat_ply
from ds3d_pipeline.scene import Gaussians


def random_gaussians(count: int, degree: int, seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    return Gaussians(
        means=rng.normal(size=(count, 3)).astype(np.float32),
        quats_wxyz=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=rng.normal(-3, 1, (count, 3)).astype(np.float32),
        opacity_logits=rng.normal(size=count).astype(np.float32),
        sh_coeffs=rng.normal(size=(count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def header_lines(path: Path) -> list[str]:
    return path.read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_round_trip_is_exact(tmp_path, degree):
    splat = random_gaussians(37, degree)
    write_splat_ply(tmp_path / "splat.ply", splat)
    again = read_splat_ply(tmp_path / "splat.ply")
    for field in fields(Gaussians):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(splat, field.name))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_gsply_reads_the_same_values(tmp_path, degree):
    splat = random_gaussians(50, degree)
    write_splat_ply(tmp_path / "splat.ply", splat)
    data = gsply.plyread(tmp_path / "splat.ply")
    np.testing.assert_array_equal(data.means, splat.means)
    np.testing.assert_array_equal(data.quats, splat.quats_wxyz)
    np.testing.assert_array_equal(data.scales, splat.log_scales)
    np.testing.assert_array_equal(data.opacities, splat.opacity_logits)
    np.testing.assert_array_equal(data.sh0, splat.sh_coeffs[:, 0])
    np.testing.assert_array_equal(data.shN, splat.sh_coeffs[:, 1:])


@pytest.mark.parametrize("degree", [0, 3])
def test_reads_what_gsply_writes(tmp_path, degree):
    splat = random_gaussians(20, degree)
    gsply.plywrite(
        tmp_path / "splat.ply",
        splat.means,
        splat.log_scales,
        splat.quats_wxyz,
        splat.opacity_logits,
        splat.sh_coeffs[:, 0],
        splat.sh_coeffs[:, 1:] if degree else None,
    )
    again = read_splat_ply(tmp_path / "splat.ply")
    for field in fields(Gaussians):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(splat, field.name))


def test_properties_stand_in_inrias_order(tmp_path):
    write_splat_ply(tmp_path / "splat.ply", random_gaussians(2, 1))
    names = [line.split()[2] for line in header_lines(tmp_path / "splat.ply") if line.startswith("property")]
    rest = " ".join(f"f_rest_{i}" for i in range(9))
    expected = f"x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 {rest} opacity scale_0 scale_1 scale_2"
    assert " ".join(names) == f"{expected} rot_0 rot_1 rot_2 rot_3"


def test_gzip_is_deterministic_and_complete(tmp_path):
    import gzip

    write_splat_ply(tmp_path / "splat.ply", random_gaussians(100, 1))
    write_gzip(tmp_path / "a.gz", tmp_path / "splat.ply")
    write_gzip(tmp_path / "b.gz", tmp_path / "splat.ply")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == (tmp_path / "splat.ply").read_bytes()


def test_truncated_file_is_refused_by_name(tmp_path):
    write_splat_ply(tmp_path / "splat.ply", random_gaussians(100, 1))
    (tmp_path / "cut.ply").write_bytes((tmp_path / "splat.ply").read_bytes()[:-1])
    with pytest.raises(InputError, match=r"cut\.ply ends before"):
        read_splat_ply(tmp_path / "cut.ply")


@pytest.mark.parametrize("content", [b"", b"hello", b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "other.ply").write_bytes(content)
    with pytest.raises(InputError, match=r"other\.ply"):
        read_splat_ply(tmp_path / "other.ply")


def test_missing_property_is_named(tmp_path):
    write_splat_ply(tmp_path / "splat.ply", random_gaussians(3, 0))
    content = (tmp_path / "splat.ply").read_bytes().replace(b"float opacity", b"float opaqity")
    (tmp_path / "splat.ply").write_bytes(content)
    with pytest.raises(InputError, match="lacks the property opacity"):
        read_splat_ply(tmp_path / "splat.ply")


def test_values_that_are_not_finite_are_never_written(tmp_path):
    splat = random_gaussians(3, 0)
    with pytest.raises(ValueError, match="not finite"):
        write_splat_ply(tmp_path / "splat.ply", replace(splat, means=splat.means * np.float32(np.nan)))
    assert not list(tmp_path.iterdir())
