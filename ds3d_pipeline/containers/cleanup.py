"""The containers of a home on its engine: their labels, and the orphaned ones that a killed run left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from ds3d_pipeline.containers.engine import connect, look_now, read_settings
from ds3d_pipeline.storage.home import Home

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

RUN, STEP, ATTEMPT, HOME = "ds3d/run", "ds3d/step", "ds3d/attempt", "ds3d/home"


def make_labels(home: Home, run_id: str, step: str, attempt: int) -> dict[str, str]:
    """What identifies a container."""
    return {RUN: run_id, STEP: step, ATTEMPT: str(attempt), HOME: home_label(home)}


def home_label(home: Home) -> str:
    """Distinguishes this home from others that use the same engine."""
    return read_settings().home_volume or str(home.root)


def find_containers(client: DockerClient, labels: Mapping[str, str]) -> list[Container]:
    """All that have these labels, whether they run or not."""
    words: list[str] = [f"{name}={value}" for name, value in labels.items()]
    return client.containers.list(all=True, filters={"label": words}, ignore_removed=True)


@contextlib.contextmanager
def engine_may_be_gone() -> Iterator[None]:
    """Docker's errors mean nothing inside: what is to be found or removed is gone as well."""
    import docker.errors
    import requests

    with contextlib.suppress(docker.errors.DockerException, requests.RequestException, OSError):
        yield


def sweep(home: Home, has_ended: Callable[[str], bool], *, run_id: str = "", step: str = "") -> int:
    """Removes this home's containers of runs that have ended, and of earlier attempts of this step.

    They are orphaned where a process was killed together with all that would have removed them. Returns how
    many there were; none where no engine answers.
    """
    removed = 0
    if look_now().why_not:
        return 0
    with engine_may_be_gone(), contextlib.closing(connect()) as client:
        for container in find_containers(client, {HOME: home_label(home)}):
            is_earlier = (container.labels.get(RUN), container.labels.get(STEP)) == (run_id, step)
            if is_earlier or has_ended(container.labels.get(RUN, "")):
                with engine_may_be_gone():
                    container.remove(force=True, v=True)
                removed += 1
    return removed
