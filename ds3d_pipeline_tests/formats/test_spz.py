"""SPZ as others read it: gsply, three.js and splat-transform."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import ds3d_pipeline
from ds3d_pipeline.formats.splat_ply import read_splat_ply
from ds3d_pipeline.formats.spz import write_spz
from ds3d_pipeline.scene import Gaussians
from ds3d_pipeline_tests.node import install, node_and_npm
from ds3d_pipeline_tests.splats.spz import read_spz, read_spz_as_stored

HALF_STEP = {"log_scales": 1 / 32, "sh0": 0.5 / (0.15 * 255), "rest": 1 / 256, "axes": 2e-5}
UP = np.array([1, -1, -1], np.float32)
"""Right-up-back from right-down-front."""
THREE = Path(ds3d_pipeline.__file__).parent / "web/page/vendor/three.js"
READ_BY_THREE = """
const { SPZLoader } = await import(process.argv[1]);
const data = require('fs').readFileSync(process.argv[2]);
const found = new SPZLoader().parse(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
console.log(JSON.stringify(Object.fromEntries(
  Object.entries(found.attributes).map(([name, values]) => [name, Array.from(values.array)]))));
"""


def random_gaussians(count: int, degree: int) -> Gaussians:
    """Values well inside what the format can hold."""
    rng = np.random.default_rng(degree)
    quats = rng.normal(size=(count, 4))
    quats[:, 0] = np.abs(quats[:, 0])
    return Gaussians(
        means=rng.normal(0, 3, (count, 3)).astype(np.float32),
        quats_wxyz=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        log_scales=rng.uniform(-8, 1, (count, 3)).astype(np.float32),
        opacity_logits=rng.uniform(-3, 3, count).astype(np.float32),
        sh_coeffs=rng.uniform(-0.9, 0.9, (count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def opacity(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def axes(splat: Gaussians) -> np.ndarray:
    """(N, 3, 3): the axes of each ellipsoid as columns; none has a sign."""
    return Rotation.from_quat(splat.quats_wxyz, scalar_first=True).as_matrix()


def assert_close(found: Gaussians, splat: Gaussians) -> None:
    np.testing.assert_allclose(found.means, splat.means, atol=0.51 / 4096)
    np.testing.assert_allclose(found.log_scales, splat.log_scales, atol=HALF_STEP["log_scales"] + 1e-5)
    np.testing.assert_allclose(opacity(found.opacity_logits), opacity(splat.opacity_logits), atol=0.002)
    sh, expected = found.sh_coeffs, splat.sh_coeffs
    np.testing.assert_allclose(sh[:, 0], expected[:, 0], atol=HALF_STEP["sh0"] + 1e-5)
    np.testing.assert_allclose(sh[:, 1:], expected[:, 1:], atol=HALF_STEP["rest"] + 1e-5)
    np.testing.assert_allclose(np.abs((axes(found) * axes(splat)).sum(axis=1)), 1, atol=HALF_STEP["axes"])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_gsply_reads_the_same_values(tmp_path, degree):
    splat = random_gaussians(200, degree)
    write_spz(tmp_path / "splat.spz", splat)
    assert_close(read_spz(tmp_path / "splat.spz"), splat)


def test_up_is_up_as_the_specification_has_it(tmp_path):
    splat = random_gaussians(50, 0)
    write_spz(tmp_path / "splat.spz", splat)
    stored = read_spz_as_stored(tmp_path / "splat.spz")
    np.testing.assert_allclose(stored.means, splat.means * UP, atol=0.51 / 4096)
    turned = np.diag(UP) @ axes(splat)
    np.testing.assert_allclose(np.abs((axes(stored) * turned).sum(axis=1)), 1, atol=HALF_STEP["axes"])


def covariances(splat: Gaussians) -> np.ndarray:
    """(N, 3, 3)."""
    squares = np.exp(2 * splat.log_scales.astype(float))
    return np.einsum("nij,nj,nkj->nik", axes(splat), squares, axes(splat))


def test_three_js_draws_it_upright(tmp_path):
    node, _ = node_and_npm()
    splat = random_gaussians(40, 2)
    write_spz(tmp_path / "splat.spz", splat)
    command = [node, "--input-type=commonjs", "-e", f"(async () => {{{READ_BY_THREE}}})()"]
    done = subprocess.run(
        [*command, THREE, tmp_path / "splat.spz"], capture_output=True, check=True, text=True
    )
    found = {name: np.array(values).reshape(40, -1) for name, values in json.loads(done.stdout).items()}
    np.testing.assert_allclose(found["position"], splat.means * UP, atol=0.51 / 4096)
    rows, columns = np.triu_indices(3)
    turned = (np.diag(UP) @ covariances(splat) @ np.diag(UP))[:, rows, columns]
    of_largest = np.exp(2 * splat.log_scales.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found["covariance"] / of_largest, turned / of_largest, atol=0.1)
    stored = found["sphericalHarmonics1"].astype("<u4").view(np.uint8)[:, :9].reshape(40, 3, 3)
    # Of degree 1 the order is y, z, x.
    expected = splat.sh_coeffs[:, 1:4] * UP[[1, 2, 0], None]
    np.testing.assert_allclose((stored - 128.0) / 128, expected, atol=HALF_STEP["rest"] + 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("version", "turn"), [("2.7.1", []), ("3.7.0", ["--rotate", "180,0,0"])])
def test_splat_transform_finds_the_splat_of_the_ply(tmp_path, version, turn):
    """Version 3 takes the axes for those of a PLY, and has to be told to turn them."""
    node, _ = node_and_npm()
    package = f"@playcanvas/splat-transform@{version}"
    tool = install(tmp_path / "tool", package) / "node_modules/@playcanvas/splat-transform/bin/cli.mjs"
    splat = random_gaussians(200, 3)
    write_spz(tmp_path / "splat.spz", splat)
    command = [node, tool, tmp_path / "splat.spz", *turn, tmp_path / "found.ply"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_close(read_splat_ply(tmp_path / "found.ply"), splat)


def test_equal_splats_give_equal_bytes(tmp_path):
    for name in ("a.spz", "b.spz"):
        write_spz(tmp_path / name, random_gaussians(50, 1))
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()
    assert (tmp_path / "a.spz").read_bytes()[4:8] == bytes(4), "no time of writing"


def test_far_means_give_up_digits_and_nothing_else(tmp_path):
    splat = random_gaussians(50, 0)
    far = replace(splat, means=splat.means * np.float32(5000))
    write_spz(tmp_path / "splat.spz", far)
    np.testing.assert_allclose(read_spz(tmp_path / "splat.spz").means, far.means, atol=0.01)


def test_what_the_format_cannot_hold_is_never_written(tmp_path):
    splat = random_gaussians(3, 0)
    for factor, cause in ((np.nan, "not finite"), (1e8, "too far for SPZ")):
        with pytest.raises(ValueError, match=cause):
            write_spz(tmp_path / "splat.spz", replace(splat, means=splat.means * np.float32(factor)))
    with pytest.raises(ValueError, match="1, 4, 9 or 16"):
        write_spz(tmp_path / "splat.spz", replace(splat, sh_coeffs=np.zeros((3, 2, 3), np.float32)))
    assert not list(tmp_path.iterdir())
