"""Real spherical harmonics to degree 3, in the order and sign of Inria's 3DGS, with derivatives.

Source: Sloan, "Efficient Spherical Harmonic Evaluation" (JCGT 2013); constants as in 3DGS.
"""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.programs.jit import Array, Scalar, serial

f32 = np.float32
C0 = f32(0.28209479177387814)
C1 = f32(0.4886025119029199)
C2A, C2B, C2C = f32(1.0925484305920792), f32(0.31539156525252005), f32(0.5462742152960396)
C3A, C3B, C3C = f32(0.5900435899266435), f32(2.890611442640554), f32(0.4570457994644658)
C3D, C3E = f32(0.3731763325901154), f32(1.445305721320277)
ONE, TWO, THREE, FOUR, SIX = f32(1), f32(2), f32(3), f32(4), f32(6)


@serial
def sh_basis(degree: int, x: Scalar, y: Scalar, z: Scalar, out: Array) -> None:
    """Fills out[:(degree + 1)^2] with the basis at the unit direction (x, y, z)."""
    out[0] = C0
    if degree >= 1:
        out[1] = -C1 * y
        out[2] = C1 * z
        out[3] = -C1 * x
    if degree >= 2:
        out[4] = C2A * x * y
        out[5] = -C2A * y * z
        out[6] = C2B * (TWO * z * z - x * x - y * y)
        out[7] = -C2A * x * z
        out[8] = C2C * (x * x - y * y)
    if degree >= 3:
        out[9] = -C3A * y * (THREE * x * x - y * y)
        out[10] = C3B * x * y * z
        out[11] = -C3C * y * (FOUR * z * z - x * x - y * y)
        out[12] = C3D * z * (TWO * z * z - THREE * x * x - THREE * y * y)
        out[13] = -C3C * x * (FOUR * z * z - x * x - y * y)
        out[14] = C3E * z * (x * x - y * y)
        out[15] = -C3A * x * (x * x - THREE * y * y)


@serial
def sh_basis_gradient(degree: int, x: Scalar, y: Scalar, z: Scalar, out: Array) -> None:
    """Fills out[:(degree + 1)^2, 3] with the basis' derivatives by x, y and z, each taken as free."""
    out[0, 0] = out[0, 1] = out[0, 2] = f32(0)
    if degree >= 1:
        out[1, 0], out[1, 1], out[1, 2] = f32(0), -C1, f32(0)
        out[2, 0], out[2, 1], out[2, 2] = f32(0), f32(0), C1
        out[3, 0], out[3, 1], out[3, 2] = -C1, f32(0), f32(0)
    if degree >= 2:
        out[4, 0], out[4, 1], out[4, 2] = C2A * y, C2A * x, f32(0)
        out[5, 0], out[5, 1], out[5, 2] = f32(0), -C2A * z, -C2A * y
        out[6, 0], out[6, 1], out[6, 2] = -TWO * C2B * x, -TWO * C2B * y, FOUR * C2B * z
        out[7, 0], out[7, 1], out[7, 2] = -C2A * z, f32(0), -C2A * x
        out[8, 0], out[8, 1], out[8, 2] = TWO * C2C * x, -TWO * C2C * y, f32(0)
    if degree >= 3:
        _gradient_of_degree_3(x, y, z, out)


@serial
def _gradient_of_degree_3(x: Scalar, y: Scalar, z: Scalar, out: Array) -> None:
    """Fills out[9:16, 3] with the derivatives of the functions of degree 3 in the direction (x, y, z)."""
    xx, yy, zz = x * x, y * y, z * z
    out[9, 0], out[9, 1], out[9, 2] = -SIX * C3A * x * y, -THREE * C3A * (xx - yy), f32(0)
    out[10, 0], out[10, 1], out[10, 2] = C3B * y * z, C3B * x * z, C3B * x * y
    out[11, 0] = TWO * C3C * x * y
    out[11, 1] = -C3C * (FOUR * zz - xx - THREE * yy)
    out[11, 2] = -f32(8) * C3C * y * z
    out[12, 0], out[12, 1] = -SIX * C3D * x * z, -SIX * C3D * y * z
    out[12, 2] = C3D * (SIX * zz - THREE * xx - THREE * yy)
    out[13, 0] = -C3C * (FOUR * zz - THREE * xx - yy)
    out[13, 1] = TWO * C3C * x * y
    out[13, 2] = -f32(8) * C3C * x * z
    out[14, 0], out[14, 1], out[14, 2] = TWO * C3E * x * z, -TWO * C3E * y * z, C3E * (xx - yy)
    out[15, 0], out[15, 1], out[15, 2] = -THREE * C3A * (xx - yy), SIX * C3A * x * y, f32(0)
