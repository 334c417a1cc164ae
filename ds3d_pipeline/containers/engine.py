"""The Docker engine as the probes see it: whether it answers, what images and GPUs it has. Pulls nothing."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.programs.settings import read_number, read_switch, read_text

if TYPE_CHECKING:
    from docker import DockerClient

PROBE_TIMEOUT_S = 0.8
CALL_TIMEOUT_S = 60.0
FRESH_S = 5.0
"""What was found holds this long, so that the probes of one plan look once."""

NAMED_BY = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")
"""Variables that choose the engine."""

IMAGES: dict[str, tuple[str, str]] = {
    "colmap": ("DS3D_COLMAP_IMAGE", "colmap/colmap:latest"),
    "trainer": ("DS3D_TRAINER_IMAGE", "ds3d-trainer:cpu"),
    "gpu trainer": ("DS3D_GPU_TRAINER_IMAGE", "ds3d-trainer:gpu"),
}
"""Of every image its variable, which may hold a tag or a digest, and its default."""


@dataclass(frozen=True, kw_only=True)
class ContainerSettings:
    """What this machine allows containers; see `read_settings`."""

    memory_gb: float | None
    """Most memory of a container; None leaves a tenth of the engine's memory to others."""
    cpus: float | None
    """Most cores; None allows all."""
    pull: bool
    """Whether a run may pull a missing image."""
    home_volume: str | None
    """The named volume whose root is the home, where this process runs in a container itself."""


def read_settings(environment: Mapping[str, str] = os.environ) -> ContainerSettings:
    """From `DS3D_CONTAINER_MEMORY_GB`, `_CPUS`, `_PULL` and `DS3D_HOME_VOLUME`.

    Raises InputError for a value that cannot be used.
    """
    return ContainerSettings(
        memory_gb=read_number("DS3D_CONTAINER_MEMORY_GB", environment),
        cpus=read_number("DS3D_CONTAINER_CPUS", environment),
        pull=read_switch("DS3D_CONTAINER_PULL", environment),
        home_volume=read_text("DS3D_HOME_VOLUME", environment),
    )


def image_name(image: str) -> str:
    """The image that a key of `IMAGES` means on this machine; any other name is the image itself."""
    variable, default = IMAGES.get(image, ("", image))
    return (read_text(variable) if variable else None) or default


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What was found; `why_not` is None where containers can run, else a sentence with the remedy."""

    why_not: str | None
    version: str = ""
    gpus: bool = False
    rootless: bool = False
    memory_bytes: int = 0


def connect(timeout_s: float = CALL_TIMEOUT_S) -> DockerClient:
    """A client of the engine that `docker` itself would use: `DOCKER_HOST`, else the current context.

    Raises docker.errors.DockerException where there is none.
    """
    import docker

    # requests takes fractions of a second.
    return docker.from_env(timeout=timeout_s)  # pyright: ignore[reportArgumentType]


def look_at_engine() -> Engine:
    """In under a second, whatever is wrong."""
    return _look(tuple(map(os.environ.get, NAMED_BY)), int(time.monotonic() // FRESH_S))


@functools.lru_cache(maxsize=4)
def _look(_named: tuple[str | None, ...], _moment: int) -> Engine:
    return look_now()


def look_now() -> Engine:
    """`look_at_engine` without memory of what was found just before."""
    import docker.errors
    import requests

    try:
        read_settings()
        with contextlib.closing(connect(PROBE_TIMEOUT_S)) as client:
            return _describe(client.info(), client.version())
    except (
        docker.errors.DockerException,
        requests.RequestException,
        InputError,
        ValueError,
        OSError,
    ) as error:
        return Engine(why_not=_why_unreachable(error))


def _describe(info: Mapping[str, Any], version: Mapping[str, Any]) -> Engine:
    devices = [str(device.get("ID", "")) for device in info.get("DiscoveredDevices") or ()]
    return Engine(
        why_not=None,
        version=str(version.get("Version", "")),
        gpus="nvidia" in info.get("Runtimes", {}) or any("nvidia.com/gpu" in name for name in devices),
        rootless="name=rootless" in (info.get("SecurityOptions") or ()),
        memory_bytes=int(info.get("MemTotal", 0)),
    )


def _why_unreachable(error: BaseException) -> str:
    """One sentence and the remedy, by the root of the client's error."""
    host = os.environ.get("DOCKER_HOST")
    where = f" at {host}" if host else ""
    causes: list[BaseException] = [error]
    while (below := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(below)
    if isinstance(error, (InputError, ValueError)):
        return str(error)
    if any(isinstance(cause, PermissionError) for cause in causes):
        return f"Docker refuses this user{where}: add the user to the group `docker` and log in again."
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return f"The Docker engine{where} does not answer: restart Docker."
    if any(isinstance(cause, (FileNotFoundError, ConnectionRefusedError)) for cause in causes):
        return f"Docker is not running{where} (optional)."
    return f"The Docker engine cannot be used ({error}): check DOCKER_HOST and `docker info`."


def why_no_container(image: str, *, needs_gpu: bool = False) -> str | None:
    """None where a container of this image (a key of `IMAGES`, or a name) can run here, else why not."""
    engine = look_at_engine()
    if engine.why_not:
        return engine.why_not
    if needs_gpu and not engine.gpus:
        return (
            "Docker has no NVIDIA runtime: install the NVIDIA Container Toolkit where there is an NVIDIA GPU."
        )
    return why_no_image(image)


def why_no_image(image: str) -> str | None:
    """None where the image is there or a run may pull it, else the remedy, for an engine that answers."""
    import docker.errors

    name = image_name(image)
    try:
        with contextlib.closing(connect(PROBE_TIMEOUT_S)) as client:
            client.images.get(name)
    except docker.errors.ImageNotFound:
        if read_settings().pull:
            return None
        return f"The image {name} is missing: `docker pull {name}` or build it, or use --pull."
    except docker.errors.APIError as error:
        return f"Docker cannot look for the image {name!r}: {error.explanation}."
    return None


def describe_engine() -> str:
    """Version, GPU and images in words."""
    engine = look_at_engine()
    if engine.why_not:
        return engine.why_not
    images = [f"{image_name(key)} {'missing' if why_no_image(key) else 'installed'}" for key in IMAGES]
    gpu = "gives containers the NVIDIA GPU" if engine.gpus else "has no NVIDIA runtime"
    return f"{engine.version}, {gpu}; images: {', '.join(images)}"
