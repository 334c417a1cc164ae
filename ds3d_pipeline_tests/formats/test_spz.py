"""SPZ against gsply and against its own reader."""

import gzip
from dataclasses import replace

import gsply
import numpy as np
import pytest

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.spz import read_spz, write_spz
from ds3d_pipeline.scene import Gaussians

HALF_STEP = {"log_scales": 1 / 32, "sh0": 0.5 / (0.15 * 255), "rest": 1 / 256, "quats": 0.02}


def random_gaussians(count: int, degree: int) -> Gaussians:
    """Values well inside what the format can hold; no quaternion near w = 0, where its error grows."""
    rng = np.random.default_rng(degree)
    quats = rng.normal(size=(count, 4))
    quats[:, 0] = 1.5
    return Gaussians(
        means=rng.normal(0, 3, (count, 3)).astype(np.float32),
        quats_wxyz=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=rng.uniform(-8, 1, (count, 3)).astype(np.float32),
        opacity_logits=rng.uniform(-3, 3, count).astype(np.float32),
        sh_coeffs=rng.uniform(-0.9, 0.9, (count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def opacity(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def assert_close(found: Gaussians, splat: Gaussians) -> None:
    np.testing.assert_allclose(found.means, splat.means, atol=0.51 / 4096)
    np.testing.assert_allclose(found.log_scales, splat.log_scales, atol=HALF_STEP["log_scales"] + 1e-5)
    np.testing.assert_allclose(opacity(found.opacity_logits), opacity(splat.opacity_logits), atol=0.002)
    sh, expected = found.sh_coeffs, splat.sh_coeffs
    np.testing.assert_allclose(sh[:, 0], expected[:, 0], atol=HALF_STEP["sh0"] + 1e-5)
    np.testing.assert_allclose(sh[:, 1:], expected[:, 1:], atol=HALF_STEP["rest"] + 1e-5)
    np.testing.assert_allclose(found.quats_wxyz, splat.quats_wxyz, atol=HALF_STEP["quats"])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_round_trip_is_as_fine_as_the_format(tmp_path, degree):
    splat = random_gaussians(200, degree)
    write_spz(tmp_path / "splat.spz", splat)
    assert_close(read_spz(tmp_path / "splat.spz"), splat)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_gsply_reads_the_same_values(tmp_path, degree):
    splat = random_gaussians(200, degree)
    write_spz(tmp_path / "splat.spz", splat)
    data = gsply.read_spz(tmp_path / "splat.spz")
    rest = np.zeros((200, 0, 3), np.float32) if data.shN is None else data.shN
    found = Gaussians(
        means=data.means,
        quats_wxyz=data.quats,
        log_scales=data.scales,
        opacity_logits=data.opacities.reshape(-1),
        sh_coeffs=np.concatenate([data.sh0[:, None], rest], axis=1),
    )
    assert_close(found, splat)


def test_equal_splats_give_equal_bytes(tmp_path):
    for name in ("a.spz", "b.spz"):
        write_spz(tmp_path / name, random_gaussians(50, 1))
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()


def test_far_means_give_up_digits_and_nothing_else(tmp_path):
    splat = random_gaussians(50, 0)
    far = replace(splat, means=splat.means * np.float32(5000))
    write_spz(tmp_path / "splat.spz", far)
    np.testing.assert_allclose(read_spz(tmp_path / "splat.spz").means, far.means, atol=0.01)


def test_values_that_are_not_finite_are_never_written(tmp_path):
    splat = random_gaussians(3, 0)
    with pytest.raises(ValueError, match="not finite"):
        write_spz(tmp_path / "splat.spz", replace(splat, means=splat.means * np.float32(np.nan)))
    assert not list(tmp_path.iterdir())


def test_damaged_files_are_refused_by_name(tmp_path):
    write_spz(tmp_path / "good.spz", random_gaussians(20, 1))
    good = (tmp_path / "good.spz").read_bytes()
    plain = gzip.decompress(good)
    contents = (b"", b"hello", good[:-20], gzip.compress(plain[:10]), gzip.compress(plain[:-1]))
    for content in (*contents, gzip.compress(b"XXXX" + plain[4:])):
        (tmp_path / "bad.spz").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.spz"):
            read_spz(tmp_path / "bad.spz")
