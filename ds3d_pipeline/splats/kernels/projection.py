"""Gaussians into the image (EWA splatting, Zwicker et al. 2001, as in 3DGS), forward and backward.

A camera is one float32 array `cam` (21,), a projected Gaussian a row of `projected` (N, 12); the columns
of both have names below. The gradient by a projected Gaussian has its first nine columns.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ds3d_pipeline.programs.jit import Array, Scalar, inline, parallel
from ds3d_pipeline.scene import Float32, Float64
from ds3d_pipeline.splats.kernels.parameters import LOG_SCALE, LOGIT, QUAT, SH
from ds3d_pipeline.splats.kernels.sh import sh_basis, sh_basis_gradient

f32 = np.float32
ZERO, HALF, ONE, TWO = f32(0), f32(0.5), f32(1), f32(2)
BLUR = f32(0.3)
"""Added to the diagonal of the 2D covariance, pixels squared (3DGS)."""
MIN_ALPHA = f32(1 / 255)
NEAR = f32(0.01)
"""Nearest depth that is drawn, scene units (as gsplat)."""
FX, FY, CX, CY, WIDTH, HEIGHT, CENTRE, CAM_SIZE = 12, 13, 14, 15, 16, 17, 18, 21
"""Columns of a camera. Before them cam_from_world: rotation 0:9 row by row, translation 9:12. Then focal
lengths, principal point, width and height in pixels, and the camera's centre in the world 18:21."""
MEAN_X, MEAN_Y = 0, 1
"""Columns of a projected Gaussian: its centre in pixels,"""
CONIC_A, CONIC_B, CONIC_C = 2, 3, 4
"""the inverse covariance, 1 / px^2: power = -(a dx^2 + c dy^2) / 2 - b dx dy at (dx, dy) from the centre,"""
OPACITY, RED, GREEN, BLUE = 5, 6, 7, 8
"""the alpha at the centre and the colour, in [0, 1] and from 0,"""
HALF_HEIGHT, HALF_WIDTH = 9, 10
"""how far from the centre alpha is 1/255 or more, in pixels; -1 where no pixel sees the Gaussian,"""
DEPTH, PROJECTED_SIZE = 11, 12
"""and the centre's z in the camera frame, scene units."""
_CHUNK = 256


def camera_row(K: Float64, cam_from_world: Float64, size_wh: tuple[int, int]) -> Float32:
    """The flat camera of `K` (3, 3), `cam_from_world` (4, 4) and the picture's size."""
    R, t = cam_from_world[:3, :3], cam_from_world[:3, 3]
    return np.concatenate([R.ravel(), t, [K[0, 0], K[1, 1], K[0, 2], K[1, 2]], size_wh, -R.T @ t]).astype(
        np.float32
    )


@inline
def _rotation(w: Scalar, x: Scalar, y: Scalar, z: Scalar, out: Array) -> None:
    """Fills `out` (3, 3) with the rotation of the unit quaternion (w, x, y, z)."""
    out[0, 0] = ONE - TWO * (y * y + z * z)
    out[0, 1] = TWO * (x * y - w * z)
    out[0, 2] = TWO * (x * z + w * y)
    out[1, 0] = TWO * (x * y + w * z)
    out[1, 1] = ONE - TWO * (x * x + z * z)
    out[1, 2] = TWO * (y * z - w * x)
    out[2, 0] = TWO * (x * z - w * y)
    out[2, 1] = TWO * (y * z + w * x)
    out[2, 2] = ONE - TWO * (x * x + y * y)


@inline
def _clamped_slope(slope: Scalar, focal: Scalar, principal: Scalar, size: Scalar) -> Scalar:
    """x / z (or y / z) kept within 1.3 times the field of view, where the linearisation still holds.

    slope: without a unit. focal, principal, size: of that axis of the picture, pixels.
    """
    margin = f32(0.15) * size / focal
    return min(max(slope, -principal / focal - margin), (size - principal) / focal + margin)


@inline
def _jacobian(cam: Array, x: Scalar, y: Scalar, z: Scalar, out: Array) -> None:
    """T = J R (2, 3), where J is the projection's derivative at the camera-frame point (x, y, z).

    cam: (21,) float32, see the columns above. x, y, z: scene units. out: filled with T.
    """
    slope_x = _clamped_slope(x / z, cam[FX], cam[CX], cam[WIDTH])
    slope_y = _clamped_slope(y / z, cam[FY], cam[CY], cam[HEIGHT])
    jx, jy = cam[FX] / z, cam[FY] / z
    for k in range(3):
        out[0, k] = jx * (cam[k] - slope_x * cam[6 + k])
        out[1, k] = jy * (cam[3 + k] - slope_y * cam[6 + k])


@inline
def _axes(row: Array, T: Array, Rq: Array, U: Array, scale: Array) -> None:
    """Rotation Rq, U = T Rq (2, 3) and the scales: the projected principal axes are U * scale.

    row: (D,) float32, one Gaussian's parameters. T: (2, 3). Rq (3, 3), U (2, 3) and scale (3,): filled.
    """
    w, x, y, z = row[QUAT], row[QUAT + 1], row[QUAT + 2], row[QUAT + 3]
    n = ONE / np.sqrt(w * w + x * x + y * y + z * z)
    _rotation(w * n, x * n, y * n, z * n, Rq)
    for k in range(3):
        scale[k] = np.exp(row[LOG_SCALE + k])
        U[0, k] = T[0, 0] * Rq[0, k] + T[0, 1] * Rq[1, k] + T[0, 2] * Rq[2, k]
        U[1, k] = T[1, 0] * Rq[0, k] + T[1, 1] * Rq[1, k] + T[1, 2] * Rq[2, k]


@parallel
def project(rows: Array, cam: Array, degree: int, projected: Array) -> None:
    """Projects every Gaussian; one that no pixel can see gets half sizes of -1 and nothing else.

    rows: (N, D) float32, as `parameters` lays them out, D = 11 + 3 (degree + 1)^2 or more.
    cam: (21,) float32, see the columns above. degree: of the harmonics that are used, 0 to 3.
    projected: (N, 12) float32, filled, see the columns above.
    """
    count = rows.shape[0]
    sh_count = (degree + 1) * (degree + 1)
    for chunk in prange((count + _CHUNK - 1) // _CHUNK):
        T, U = np.empty((2, 3), np.float32), np.empty((2, 3), np.float32)
        Rq, scale = np.empty((3, 3), np.float32), np.empty(3, np.float32)
        basis = np.empty(16, np.float32)
        for g in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            projected[g, HALF_WIDTH] = projected[g, HALF_HEIGHT] = -ONE
            mx, my, mz = rows[g, 0], rows[g, 1], rows[g, 2]
            z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
            opacity = ONE / (ONE + np.exp(-rows[g, LOGIT]))
            if not (z > NEAR and opacity > MIN_ALPHA):
                continue
            x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
            y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
            _jacobian(cam, x, y, z, T)
            _axes(rows[g], T, Rq, U, scale)
            A, B, C = BLUR, ZERO, BLUR
            for k in range(3):
                u, v = U[0, k] * scale[k], U[1, k] * scale[k]
                A += u * u
                B += u * v
                C += v * v
            det = A * C - B * B
            if not (det > ZERO and det < f32(1e30)):
                continue
            reach = np.sqrt(TWO * np.log(f32(255) * opacity))
            rx, ry = reach * np.sqrt(A), reach * np.sqrt(C)
            u, v = cam[FX] * x / z + cam[CX], cam[FY] * y / z + cam[CY]
            if u + rx <= ZERO or v + ry <= ZERO or u - rx >= cam[WIDTH] or v - ry >= cam[HEIGHT]:
                continue
            projected[g, MEAN_X], projected[g, MEAN_Y], projected[g, OPACITY], projected[g, DEPTH] = (
                u,
                v,
                opacity,
                z,
            )
            projected[g, CONIC_A], projected[g, CONIC_B], projected[g, CONIC_C] = C / det, -B / det, A / det
            projected[g, HALF_WIDTH], projected[g, HALF_HEIGHT] = rx, ry
            dx, dy, dz = mx - cam[CENTRE], my - cam[CENTRE + 1], mz - cam[CENTRE + 2]
            n = ONE / np.sqrt(dx * dx + dy * dy + dz * dz)
            sh_basis(degree, dx * n, dy * n, dz * n, basis)
            for c in range(3):
                value = HALF
                for k in range(sh_count):
                    value += basis[k] * rows[g, SH + 3 * k + c]
                projected[g, RED + c] = max(value, ZERO)


@inline
def _quat_gradient(row: Array, dR: Array, out: Array) -> None:
    """Adds to out[3:7] the gradient by the (not normalised) quaternion, given that by its rotation.

    row: (D,) float32, one Gaussian's parameters. dR: (3, 3), the gradient by the rotation. out: (D,) float32.
    """
    w, x, y, z = row[QUAT], row[QUAT + 1], row[QUAT + 2], row[QUAT + 3]
    n = ONE / np.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w * n, x * n, y * n, z * n
    dw = TWO * (x * (dR[2, 1] - dR[1, 2]) + y * (dR[0, 2] - dR[2, 0]) + z * (dR[1, 0] - dR[0, 1]))
    dx = TWO * (
        y * (dR[0, 1] + dR[1, 0]) + z * (dR[0, 2] + dR[2, 0]) + w * (dR[2, 1] - dR[1, 2])
    ) - TWO * TWO * x * (dR[1, 1] + dR[2, 2])
    dy = TWO * (
        x * (dR[0, 1] + dR[1, 0]) + z * (dR[1, 2] + dR[2, 1]) + w * (dR[0, 2] - dR[2, 0])
    ) - TWO * TWO * y * (dR[0, 0] + dR[2, 2])
    dz = TWO * (
        x * (dR[0, 2] + dR[2, 0]) + y * (dR[1, 2] + dR[2, 1]) + w * (dR[1, 0] - dR[0, 1])
    ) - TWO * TWO * z * (dR[0, 0] + dR[1, 1])
    along = w * dw + x * dx + y * dy + z * dz
    out[QUAT] = n * (dw - along * w)
    out[QUAT + 1] = n * (dx - along * x)
    out[QUAT + 2] = n * (dy - along * y)
    out[QUAT + 3] = n * (dz - along * z)


@inline
def _slope_gradient(
    slope: Scalar, clamped: Scalar, dT_row: Array, R_row: Array, Rz: Array
) -> tuple[Scalar, Scalar]:
    """Gradient by the slope and by the focal/depth factor of one row of T = factor (R_row - slope Rz).

    slope, clamped: before and after the clamp. dT_row: (3,), the gradient by the row. R_row, Rz: (3,), rows
    of the camera's rotation.
    """
    by_slope = ZERO
    by_factor = ZERO
    for k in range(3):
        by_factor += dT_row[k] * (R_row[k] - clamped * Rz[k])
        by_slope -= dT_row[k] * Rz[k]
    return by_slope if slope == clamped else ZERO, by_factor


@parallel
def project_backward(
    rows: Array, cam: Array, degree: int, projected: Array, projected_grad: Array, grads: Array
) -> None:
    """The loss' derivatives by the rows from those by the projected Gaussians.

    rows: (N, D) float32, as `parameters` lays them out. cam: (21,) float32. degree: as `project` had it.
    projected: (N, 12) float32, as `project` filled it.
    projected_grad: (N, 9) float32, derivatives by the columns MEAN_X to BLUE.
    grads: (N, D) float32, filled; rows of unseen Gaussians are left as they are.
    """
    count = rows.shape[0]
    sh_count = (degree + 1) * (degree + 1)
    for chunk in prange((count + _CHUNK - 1) // _CHUNK):
        T, U = np.empty((2, 3), np.float32), np.empty((2, 3), np.float32)
        Rq, scale = np.empty((3, 3), np.float32), np.empty(3, np.float32)
        dU, dT, dR = np.empty((2, 3), np.float32), np.empty((2, 3), np.float32), np.empty((3, 3), np.float32)
        basis, slope_of_basis = np.empty(16, np.float32), np.empty((16, 3), np.float32)
        for g in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            if projected[g, HALF_WIDTH] < ZERO:
                continue
            row, grad, d = rows[g], grads[g], projected_grad[g]
            mx, my, mz = row[0], row[1], row[2]
            x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
            y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
            z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
            _jacobian(cam, x, y, z, T)
            _axes(row, T, Rq, U, scale)
            # Covariance from conic: dCov = -conic dConic conic, off-diagonals counted once.
            a, b, c = projected[g, CONIC_A], projected[g, CONIC_B], projected[g, CONIC_C]
            da, db, dc = d[CONIC_A], HALF * d[CONIC_B], d[CONIC_C]
            p, q = a * da + b * db, a * db + b * dc
            r, s = b * da + c * db, b * db + c * dc
            dA, dB, dC = -(p * a + q * b), -TWO * (p * b + q * c), -(r * b + s * c)
            for k in range(3):
                u, v = U[0, k] * scale[k], U[1, k] * scale[k]
                du, dv = TWO * dA * u + dB * v, TWO * dC * v + dB * u
                dU[0, k], dU[1, k] = du * scale[k], dv * scale[k]
                grad[LOG_SCALE + k] = du * u + dv * v
            for i in range(3):
                dT[0, i] = dU[0, 0] * Rq[i, 0] + dU[0, 1] * Rq[i, 1] + dU[0, 2] * Rq[i, 2]
                dT[1, i] = dU[1, 0] * Rq[i, 0] + dU[1, 1] * Rq[i, 1] + dU[1, 2] * Rq[i, 2]
                for k in range(3):
                    dR[i, k] = T[0, i] * dU[0, k] + T[1, i] * dU[1, k]
            _quat_gradient(row, dR, grad)
            opacity = projected[g, OPACITY]
            grad[LOGIT] = d[OPACITY] * opacity * (ONE - opacity)
            # Camera-frame point: through the projected mean and through the Jacobian.
            iz = ONE / z
            sx, sy = x * iz, y * iz
            cx = _clamped_slope(sx, cam[FX], cam[CX], cam[WIDTH])
            cy = _clamped_slope(sy, cam[FY], cam[CY], cam[HEIGHT])
            dsx, dfx = _slope_gradient(sx, cx, dT[0], cam[0:3], cam[6:9])
            dsy, dfy = _slope_gradient(sy, cy, dT[1], cam[3:6], cam[6:9])
            dsx = cam[FX] * (d[MEAN_X] + dsx * iz)
            dsy = cam[FY] * (d[MEAN_Y] + dsy * iz)
            gx, gy = dsx * iz, dsy * iz
            gz = -(dsx * sx + dsy * sy) * iz - (cam[FX] * dfx + cam[FY] * dfy) * iz * iz
            # Colour, and through the viewing direction back to the mean.
            vx, vy, vz = mx - cam[CENTRE], my - cam[CENTRE + 1], mz - cam[CENTRE + 2]
            n = ONE / np.sqrt(vx * vx + vy * vy + vz * vz)
            vx, vy, vz = vx * n, vy * n, vz * n
            sh_basis(degree, vx, vy, vz, basis)
            sh_basis_gradient(degree, vx, vy, vz, slope_of_basis)
            dvx, dvy, dvz = ZERO, ZERO, ZERO
            for channel in range(3):
                dcolor = d[RED + channel] if projected[g, RED + channel] > ZERO else ZERO
                for k in range(sh_count):
                    coefficient = row[SH + 3 * k + channel] * dcolor
                    grad[SH + 3 * k + channel] = dcolor * basis[k]
                    dvx += coefficient * slope_of_basis[k, 0]
                    dvy += coefficient * slope_of_basis[k, 1]
                    dvz += coefficient * slope_of_basis[k, 2]
            along = dvx * vx + dvy * vy + dvz * vz
            grad[0] = cam[0] * gx + cam[3] * gy + cam[6] * gz + n * (dvx - along * vx)
            grad[1] = cam[1] * gx + cam[4] * gy + cam[7] * gz + n * (dvy - along * vy)
            grad[2] = cam[2] * gx + cam[5] * gy + cam[8] * gz + n * (dvz - along * vz)
