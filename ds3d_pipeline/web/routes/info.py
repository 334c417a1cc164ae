"""`GET /api/info`: what a client should know before it sends anything."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request

from ds3d_pipeline import __version__
from ds3d_pipeline.capture.names import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.web.dependencies import Web
from ds3d_pipeline.web.problems import responses
from ds3d_pipeline.web.settings import LOOPBACK, WebSettings, WebState

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class ModeInfo:
    """One mode and what it costs."""

    name: str
    keyframes: int
    """At most."""
    side_px: int
    """The longer side of a keyframe, at most."""
    seconds: float | None
    """What a usual capture takes on this machine; None as long as nobody knows."""


@dataclass(frozen=True, kw_only=True)
class LimitsInfo:
    """How much one upload may have."""

    max_bytes: int
    max_files: int
    free_bytes: int
    """What the disk has room for at present, beside what is kept free."""


@dataclass(frozen=True, kw_only=True)
class Info:
    """The server, as a client sees it."""

    version: str
    modes: tuple[ModeInfo, ...]
    accepts: tuple[str, ...]
    """Suffixes of files that may be sent."""
    limits: LimitsInfo
    daemon: Literal["ours", "other", "none"]
    """Whose Dagster daemon starts the runs; without one, uploads wait."""
    urls: tuple[str, ...]
    """Where other machines, or this one, can open the page."""


@router.get("/api/info", responses=responses())
def info(request: Request, web: Web) -> Info:
    """Version, modes, accepted types and limits."""
    seconds = web.jobs.mode_seconds()
    return Info(
        version=__version__,
        modes=tuple(
            ModeInfo(
                name=name,
                keyframes=mode.keyframes.max_frames,
                side_px=mode.keyframes.max_side_px,
                seconds=seconds.get(name),
            )
            for name, mode in MODES.items()
        ),
        accepts=tuple(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES | {".zip"})),
        limits=_limits(web),
        daemon=_daemon(web),
        urls=_urls(request.url.scheme, web.settings),
    )


def _daemon(web: WebState) -> Literal["ours", "other", "none"]:
    if web.settings.brings_daemon.is_set():
        return "ours"
    return "other" if web.jobs.has_daemon() else "none"


def _urls(scheme: str, settings: WebSettings) -> tuple[str, ...]:
    """By the names that the server may be called by, without those of this machine where there are others."""
    hosts = sorted(settings.hosts - LOOPBACK or settings.hosts)
    return tuple(f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}" for host in hosts)


def _limits(web: WebState) -> LimitsInfo:
    limits = web.settings.limits
    free = shutil.disk_usage(web.home.root).free - limits.reserve_bytes
    return LimitsInfo(max_bytes=limits.max_bytes, max_files=limits.max_files, free_bytes=max(free, 0))
