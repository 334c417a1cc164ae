"""How every kernel is compiled: cached, and with threads and float shortcuts where they are safe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np

Array: TypeAlias = np.ndarray
"""Of float32 or int32; the kernel's docstring says which and of what shape."""
Scalar: TypeAlias = np.float32
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""Float shortcuts without `nnan` and `ninf`: a NaN must stay visible, not become undefined behaviour."""


def parallel(function: Kernel) -> Kernel:
    """A kernel that runs its `prange` loops on all threads."""
    return cast(Kernel, numba.njit(parallel=True, fastmath=_FAST, error_model="numpy", cache=True)(function))


def serial(function: Kernel) -> Kernel:
    """A kernel on one thread."""
    return cast(Kernel, numba.njit(fastmath=_FAST, error_model="numpy", cache=True)(function))


def inline(function: Kernel) -> Kernel:
    """A small function that other kernels call."""
    return cast(
        Kernel, numba.njit(fastmath=_FAST, error_model="numpy", cache=True, inline="always")(function)
    )
