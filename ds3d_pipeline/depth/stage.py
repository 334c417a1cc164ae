"""Depth maps of every registered keyframe."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ds3d_pipeline.depth.card import best_view, card_map
from ds3d_pipeline.depth.colmap import WORKSPACE, read_maps
from ds3d_pipeline.depth.interpolation import interpolate_view
from ds3d_pipeline.depth.learned.consensus import settled
from ds3d_pipeline.depth.learned.hole_filling import HoleFilling
from ds3d_pipeline.depth.learned.models import can_estimate, usable_model
from ds3d_pipeline.depth.learned.monocular import Monocular
from ds3d_pipeline.depth.learned.network import DepthNetwork
from ds3d_pipeline.depth.options import DepthOptions, RefinementOptions
from ds3d_pipeline.depth.previews import PREVIEWS, write_preview
from ds3d_pipeline.depth.report import DepthReport
from ds3d_pipeline.depth.stereo.consistency import Filtered
from ds3d_pipeline.depth.stereo.multi_view import Stereo
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_map, read_reconstruction, write_depth_map
from ds3d_pipeline.programs.colmap_cli import VERSION
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.folders import clear_folder
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.scene import DepthMap, Reconstruction

STEREO_FRACTION = 0.8
"""Of the whole time, for the progress, where holes are filled after it."""
log = logging.getLogger(__name__)


def fill_holes(work: Work[DepthOptions], model: Reconstruction, report: DepthReport) -> DepthReport:
    """Fills the maps in OUTPUT; returns their report with what is now known, and what estimated.

    Filling is an extra: without a usable model the maps stay as stereo left them, with the reason in
    `not_filled`.
    """
    reason = can_estimate(work.options)
    if reason is None:
        try:
            return _filled(work, model, report)
        except StageError as error:
            reason = str(error)
    log.warning("holes are not filled: %s", reason)
    return replace(report, estimated=0.0, not_filled=reason)


def _filled(work: Work[DepthOptions], model: Reconstruction, report: DepthReport) -> DepthReport:
    file = usable_model(work.options)
    network = DepthNetwork(file, work.options)
    filling = HoleFilling(
        monocular=_monocular(work, network, model, work.options.holes.estimate.refinement),
        maps=work.output,
        scratch=clear_folder(work.output / "estimates"),
        source_views=work.options.source_views,
        options=work.options.holes,
    )
    try:
        fractions = filling.fill(work.progress.part(STEREO_FRACTION, 1.0))
    finally:
        shutil.rmtree(filling.scratch)
    shown = model.views[:: max(1, len(model.views) // PREVIEWS)][:PREVIEWS]
    write_preview(
        [read_depth_map(work.output, view) for view in shown],
        work.input / "images",
        work.output / "preview.jpg",
    )
    return replace(
        report,
        **vars(fractions),
        model=file.name,
        provider=network.provider,
        aligned=len(filling.monocular.alignments),
    )


def _monocular(
    work: Work[DepthOptions], network: DepthNetwork, model: Reconstruction, refinement: RefinementOptions
) -> Monocular:
    images = work.input / "images"
    return Monocular(network=network, model=model, images=images, options=work.options, refinement=refinement)


MIN_COVERAGE = 0.05
"""Stereo that finds depth for a smaller fraction of all pixels has failed."""


def patchmatch_depth(work: Work[DepthOptions]) -> DepthReport:
    """Multi-view stereo on the CPU. Raises StageError, with numbers, where hardly any depth is found."""
    model = read_reconstruction(work.input / "sparse")
    scratch = clear_folder(work.output / "scratch")
    stereo = Stereo(model, work.input / "images", work.options, scratch)
    partners = [len(sources) for sources in stereo.sources]
    paired = sum(count > 0 for count in partners)
    if paired < 2:
        raise StageError(
            f"No two views have enough sparse points in common ({plural(len(partners), 'view')}).",
            "Film again with more overlap between views.",
        )
    measured: list[tuple[float, float]] = []
    progress = work.progress.part(0.0, STEREO_FRACTION) if work.options.fill_holes else work.progress
    progress(0.0, f"matching {plural(paired, 'view')}")
    report = _write_maps(work, model, _noted(stereo.maps(progress), measured))
    agreeing, filled = np.mean(measured, axis=0).tolist()
    matched = report.coverage - filled
    if matched < MIN_COVERAGE:
        raise StageError(
            f"Stereo found consistent depth in only {matched:.1%} of all pixels.",
            "Film again with more texture, more overlap and less blur.",
        )
    views = float(np.mean(partners))
    report = replace(report, matched=matched, agreeing_views=agreeing, source_views=views)
    return fill_holes(work, model, report) if work.options.fill_holes else report


def _noted(found: Iterable[Filtered], measured: list[tuple[float, float]]) -> Iterable[DepthMap]:
    """Passes the maps on, and records how many views agree and which fraction was filled."""
    for one in found:
        measured.append((one.agreeing, one.filled))
        yield one.map


def colmap_depth(work: Work[DepthOptions]) -> DepthReport:
    """The maps that COLMAP left in `scratch`. Raises StageError, with numbers, where they hold hardly any."""
    model = read_reconstruction(work.input / "sparse")
    scratch = work.output / "scratch"
    report = _write_maps(work, model, read_maps(scratch / WORKSPACE, model))
    if report.coverage < MIN_COVERAGE:
        raise StageError(
            f"COLMAP found consistent depth in only {report.coverage:.1%} of all pixels.",
            "Film again with more texture, more overlap and less blur.",
        )
    version = (scratch / VERSION).read_text(encoding="utf-8").strip()
    shutil.rmtree(scratch)
    work.progress(1.0, "done")
    # Its own time is meaningless: the maps were made before.
    return replace(report, matched=report.coverage, colmap=version, seconds_per_map=None)


def interpolate_depth(work: Work[DepthOptions]) -> DepthReport:
    """Planes between the sparse points. Raises StageError where no view has any depth."""
    model = read_reconstruction(work.input / "sparse")

    def maps() -> Iterable[DepthMap]:
        for index, view in enumerate(model.views):
            yield interpolate_view(view, model, work.options.max_side_px)
            work.progress((index + 1) / len(model.views), f"depth map {index + 1} of {len(model.views)}")

    report = _write_maps(work, model, maps())
    if report.coverage == 0:
        raise StageError(
            f"No view sees enough sparse points for depth ({plural(len(model.views), 'view')}).",
            "Film again with more texture and more overlap between views.",
        )
    return replace(report, estimated=report.coverage)


def monocular_depth(work: Work[DepthOptions]) -> DepthReport:
    """Depth that a learned model estimates for each photo, fitted to the sparse points and the other views.

    Raises StageError where the model is missing, damaged or of another kind, and where no map comes out.
    """
    model = read_reconstruction(work.input / "sparse")
    file = usable_model(work.options)
    network = DepthNetwork(file, work.options)
    monocular = _monocular(work, network, model, work.options.refinement)
    scratch = clear_folder(work.output / "scratch")
    maps = settled(monocular.maps(work.progress), model, scratch, work.options.source_views)
    report = _write_maps(work, model, maps)
    shutil.rmtree(scratch)
    if report.coverage == 0:
        raise StageError(
            f"The depth model found no depth in {plural(len(model.views), 'photo')} that fits the points.",
            "Film again with more texture and more depth in view.",
        )
    fits = monocular.alignments
    return replace(
        report,
        estimated=report.coverage,
        model=file.name,
        provider=network.provider,
        aligned=len(fits),
        aligned_inliers=round(float(np.mean([fit.inliers for fit in fits])), 3) if fits else None,
    )


def card_depth(work: Work[DepthOptions]) -> DepthReport:
    """The last rung: no depth at all, one photo on a flat rectangle."""
    model = read_reconstruction(work.input / "sparse")
    view = best_view(model)
    report = _write_maps(work, model, [card_map(view, model, work.options.max_side_px)])
    work.progress(1.0, "no depth: using a flat rectangle")
    return replace(report, flat=True, coverage=0.0)


def _write_maps(work: Work[DepthOptions], model: Reconstruction, maps: Iterable[DepthMap]) -> DepthReport:
    """Writes every map and the preview; returns what all backends measure."""
    shown: list[DepthMap] = []
    coverage: list[float] = []
    uncertain: list[float] = []
    every = max(1, len(model.views) // PREVIEWS)
    start = time.monotonic()
    for index, depth in enumerate(maps):
        coverage.append(float(np.mean(depth.certain().depth > 0)))
        uncertain.append(float(np.mean(depth.depth > 0)) - coverage[-1])
        write_depth_map(work.output, depth)
        if index % every == 0 and len(shown) < PREVIEWS:
            shown.append(depth)
    seconds = time.monotonic() - start
    write_preview(shown, work.input / "images", work.output / "preview.jpg")
    return DepthReport(
        maps=len(coverage),
        coverage=float(np.mean(coverage)),
        uncertain=float(np.mean(uncertain)),
        seconds_per_map=round(seconds / len(coverage), 3),
        seed=work.options.seed,
    )
