"""The three ways a kernel is compiled; each is cached on disk, and divides by zero as NumPy does.

A kernel says by `floats` which shortcuts its arithmetic may take. They are part of its results: with other
ones the last bits differ. Options and shortcuts: Numba's `njit` and LLVM's fast-math flags.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast, overload

import numba
import numpy as np
from numba.core import event

from ds3d_pipeline.programs import compiling

Array: TypeAlias = np.ndarray
"""Of float32 or int32; the kernel's docstring says which and of what shape."""
Scalar: TypeAlias = np.float32
Kernel = TypeVar("Kernel", bound=Callable[..., Any])
Floats: TypeAlias = bool | set[str]

EXACT: Floats = False
"""None: sums in the order they are written, for what is solved, decided or compared."""
SAFE: Floats = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""All but `nnan` and `ninf`: a NaN stays visible and does not become undefined behaviour."""
ALL: Floats = True
"""For arithmetic that bounds everything it divides by, so that neither NaN nor infinity can come up."""


@overload
def parallel(function: Kernel) -> Kernel: ...
@overload
def parallel(*, floats: Floats = ..., counted: bool = ...) -> Callable[[Kernel], Kernel]: ...
def parallel(function: Any = None, *, floats: Floats = SAFE, counted: bool = True) -> Any:
    """Promises speed: a kernel that runs its `prange` loops on all threads.

    `counted=False` is for one that allocates nothing: it is compiled without counting references to arrays,
    which costs more than the arithmetic where rows of arrays are taken in inner loops.
    """
    uncounted = {} if counted else {"_nrt": False}
    return _compiled(function, parallel=True, fastmath=floats, **uncounted)


@overload
def serial(function: Kernel) -> Kernel: ...
@overload
def serial(*, floats: Floats = ...) -> Callable[[Kernel], Kernel]: ...
def serial(function: Any = None, *, floats: Floats = SAFE) -> Any:
    """Promises to stay on its thread, and lets other Python threads run meanwhile."""
    return _compiled(function, nogil=True, fastmath=floats)


def inline(function: Kernel) -> Kernel:
    """Promises to cost no call: it becomes part of the kernel that calls it and is compiled as that is."""
    return cast(Kernel, _compiled(function, inline="always", fastmath=SAFE))


class _Announcer(event.Listener):
    """Says when compiling begins and ends; kernels that a kernel calls are compiled within it.

    Numba triggers the event only for what its cache on the disk does not have.
    """

    def __init__(self) -> None:
        self._depth = 0

    def on_start(self, event: event.Event) -> None:
        self._depth += 1
        if self._depth == 1:
            compiling.say(begins=True)

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if self._depth == 0:
            compiling.say(begins=False)


# Here, as whoever has kernels imports this module before one of them is called.
cast(Any, event).register("numba:compile", _Announcer())


def _compiled(function: Any, **options: Any) -> Any:
    """The dispatcher of `function`, or the decorator that makes it."""
    decorate = numba.njit(cache=True, error_model="numpy", **options)
    return decorate if function is None else decorate(function)
