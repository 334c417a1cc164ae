"""How the stereo kernels are compiled: without numba's counting of references.

They allocate nothing. Counting would touch every array at every hypothesis, which took a quarter of the time.
"""

from __future__ import annotations

from typing import Any

from numba import njit

UNCOUNTED: dict[str, Any] = {"parallel": True, "error_model": "numpy", "cache": True, "_nrt": False}
"""For a kernel that must not take float shortcuts."""
parallel = njit(fastmath=True, **UNCOUNTED)
inline = njit(fastmath=True, error_model="numpy", inline="always")
