"""ONNX Runtime: a session on the GPU where that works, else on the CPU."""

from __future__ import annotations

import base64
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ds3d_pipeline.programs.limits import allowed_cpus

if TYPE_CHECKING:
    import onnxruntime

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
MAX_THREADS = 8
_FATAL_ONLY = 4
_TINY_MODEL = base64.b64decode(
    "CAg6NQoOCgF4CgF4EgF5IgNBZGQSAWFaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAN"
)
"""A model of one node (ONNX opset 13, y = x + x), to see which provider comes up."""


def open_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """A session on CUDA where this build of ONNX Runtime has it and it works, else on the CPU.

    Raises what ONNX Runtime raises for a model that it cannot read.
    """
    return _session(model, (CUDA, CPU) if cuda_works() else (CPU,))


@cache
def cuda_works() -> bool:
    """Whether the CUDA provider is there, comes up and computes."""
    import numpy as np
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        return False
    session = _session(_TINY_MODEL, (CUDA, CPU))
    if CUDA not in session.get_providers():
        return False
    try:
        (doubled,) = session.run(None, {"x": np.ones(1, np.float32)})
    except runtime_errors():
        return False
    return bool(np.asarray(doubled) == 2)


def runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises where it cannot open or run a model.

    One class for each of its status codes, without a common base; what its C++ throws beyond them arrives as
    RuntimeError, and its Python refuses as ValueError.
    """
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    found = (value for value in vars(state).values() if isinstance(value, type))
    return (*(kind for kind in found if issubclass(kind, Exception)), RuntimeError, ValueError)


def _session(model: Path | bytes, providers: tuple[str, ...]) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(allowed_cpus(), MAX_THREADS)
    options.inter_op_num_threads = 1
    # A provider that fails to start is reported by `provider_of`, not by lines on stderr.
    options.log_severity_level = _FATAL_ONLY
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=list(providers))


def provider_of(session: onnxruntime.InferenceSession) -> str:
    """`CUDA` or `CPU`: what the session really runs on."""
    return session.get_providers()[0].removesuffix("ExecutionProvider")


def describe_runtime() -> str:
    """Version and provider of ONNX Runtime in words, found out by opening a session."""
    try:
        import onnxruntime
    except ImportError:
        return "not installed: install the extra `cpu` or `gpu`"
    provider = provider_of(open_session(_TINY_MODEL))
    has_cuda = CUDA in onnxruntime.get_available_providers()
    reason = " (its CUDA provider does not work here)" if has_cuda and provider == "CPU" else ""
    return f"{onnxruntime.__version__}, runs on {provider}{reason}"
