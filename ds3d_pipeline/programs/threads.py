"""How many threads the libraries of a stage program may use: as many as `limits.allowed_cpus` says."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from ds3d_pipeline.programs.limits import HERE, ControlGroups, allowed_cpus

VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""What numba, OpenMP, OpenBLAS and OpenCV read when they are loaded."""


def allowed_threads(groups: ControlGroups = HERE) -> int:
    """`NUMBA_NUM_THREADS` if set, else the CPUs that this process may use."""
    asked = os.environ.get("NUMBA_NUM_THREADS")
    return max(int(asked), 1) if asked else allowed_cpus(groups)


def with_thread_limits(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with what keeps libraries to the allowed CPUs; what the user has set in it stays."""
    cpus = str(allowed_cpus())
    return {**environment, **{name: environment.get(name) or cpus for name in VARIABLES}}


def keep_to_allowed_cpus() -> None:
    """Keeps this process' libraries to the allowed CPUs: those that are loaded, and those that will be."""
    os.environ.update(with_thread_limits(os.environ))
    _limit_opencv(sys.modules.get("cv2"))
    if "numba" in sys.modules:
        use_allowed_threads()


def use_allowed_threads() -> int:
    """Makes this thread's kernels use `allowed_threads`, at most as many as Numba started with."""
    import numba

    threads = min(allowed_threads(), numba.get_num_threads())
    numba.set_num_threads(threads)
    return threads


def _limit_opencv(cv2: Any) -> None:
    if cv2 is not None:
        cv2.setNumThreads(int(os.environ["OPENCV_FOR_THREADS_NUM"]))
