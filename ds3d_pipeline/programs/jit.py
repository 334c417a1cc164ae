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
UNCOUNTED: dict[str, Any] = {"parallel": True, "error_model": "numpy", "cache": True, "_nrt": False}
"""Of kernels that allocate nothing, so no reference of an array needs counting; without float shortcuts."""
uncounted = numba.njit(fastmath=True, **UNCOUNTED)
uncounted_inline = numba.njit(fastmath=True, error_model="numpy", inline="always")


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
