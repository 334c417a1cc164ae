"""What Docker, the NVIDIA runtime and the kernel say when a container fails, in sentences with a remedy."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from ds3d_pipeline.programs.causes import GPU
from ds3d_pipeline.programs.runner import out_of_memory

REMOVED = "The container was removed from outside while it ran."
KNOWN: tuple[tuple[str, str], ...] = (
    ("no such container", REMOVED),
    ("marked for removal", REMOVED),
    (
        "could not select device driver",
        "Docker has no NVIDIA runtime, so it cannot give the container a GPU: install the NVIDIA Container "
        "Toolkit, or use a backend without GPU.",
    ),
    (
        "unsatisfied condition: cuda",
        "The image needs a newer CUDA than this NVIDIA driver offers: update the driver, or name an image "
        "for an older CUDA.",
    ),
    (
        "driver version is insufficient",
        "The NVIDIA driver is too old for the CUDA of the image: update the driver, or name an image for an "
        "older CUDA.",
    ),
    (
        "no kernel image is available for execution on the device",
        "The image was not built for this GPU: build it with its CUDA architecture, or use a backend "
        "without GPU.",
    ),
    (
        "bind source path does not exist",
        "The Docker engine does not see this machine's folders: put the home on a named volume and set "
        "DS3D_HOME_VOLUME to its name.",
    ),
    (
        "executable file not found",
        "The image is not the right one, as it lacks the program: check its name with `ds3d doctor`.",
    ),
    ("no such image", "The image went away while the run began: `docker pull` or build it."),
    (
        "no space left on device",
        "The disk of the Docker engine is full: free some with `docker system prune`.",
    ),
    (
        "requires cuda",
        "The image's COLMAP was built without CUDA: name one with it, such as colmap/colmap, in "
        "DS3D_COLMAP_IMAGE.",
    ),
    *GPU,
)
"""A part of what is said, in lower case, and what it means."""

NOT_FOUND = (126, 127)
"""How a shell ends that cannot run its command."""


def explain(said: str) -> str | None:
    """The sentence for an error or a log; None where it is none of those that are known."""
    text = said.lower()
    return next((meaning for part, meaning in KNOWN if part in text), None)


def explain_exit(state: Mapping[str, Any], *, limit_bytes: int, peak_memory_mb: float) -> str | None:
    """The sentence for the final state of a container; None where the program itself has the word."""
    if state.get("OOMKilled"):
        limit_mb = limit_bytes / 1e6
        return (
            f"{out_of_memory(limit_mb)} {limit_mb:.0f} MB is the container's limit: "
            "DS3D_CONTAINER_MEMORY_GB raises it."
        )
    if state.get("ExitCode") in NOT_FOUND:
        return "The image lacks the program that it should run: check its name with `ds3d doctor`."
    if state.get("ExitCode") == 128 + signal.SIGTERM:
        return "The container was stopped (signal 15) from outside, or because its engine was."
    if state.get("ExitCode") == 128 + signal.SIGKILL:
        return f"The container was killed (signal 9) at {peak_memory_mb:.0f} MB."
    return None
