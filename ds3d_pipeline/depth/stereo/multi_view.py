"""Multi-view stereo over all views of a capture: match each, let them agree, keep what is consistent."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stereo.consistency import Filtered, filtered_map
from ds3d_pipeline.depth.stereo.levels import make_level
from ds3d_pipeline.depth.stereo.patchmatch import Planes, agree_view, match_view, view_range
from ds3d_pipeline.depth.stereo.pyramid import GreyPhotos, map_size
from ds3d_pipeline.depth.stereo.view_selection import source_views
from ds3d_pipeline.geometry.cameras import K_scaled
from ds3d_pipeline.scene import DepthMap, Float64, Int32, Reconstruction, View


class PlaneStore:
    """One file per view in a folder that the caller owns; arrays are mapped, not read, until used."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._K: dict[int, Float64] = {}

    def put(self, index: int, found: Planes) -> None:
        """Keeps the planes of view `index`."""
        packed = np.concatenate([found.planes, found.cost[..., None]], axis=2)
        np.save(self._folder / f"{index}.npy", packed)
        self._K[index] = found.K

    def get(self, index: int) -> Planes:
        """What `put` kept. Raises KeyError for a view that was not put."""
        K = self._K[index]
        packed = np.load(self._folder / f"{index}.npy", mmap_mode="r")
        return Planes(planes=np.array(packed[..., :3]), cost=np.array(packed[..., 3]), K=K)

    def __contains__(self, index: int) -> bool:
        return index in self._K


COARSEST_PX = 190
"""The pyramid ends before the longer side falls below this."""
MATCHING_FRACTION = 0.5
AGREEMENT_FRACTION = 0.4
"""Of the whole time, for the progress."""
Report = Callable[[float, str], object]


class Stereo:
    """One capture's views, photos and choice of sources; `scratch` is a folder that it may fill and empty.

    `model` decides start and sources: points left out of it stay unknown to the maps.
    """

    def __init__(
        self,
        model: Reconstruction,
        images: Path,
        options: DepthOptions,
        scratch: Path,
    ) -> None:
        self._model, self._options, self._scratch = model, options, scratch
        self.sources: list[Int32] = source_views(model, options.source_views)
        self._photos = GreyPhotos(images, options.max_side_px, pyramid_levels(options.max_side_px))

    def maps(self, report: Report = lambda fraction, message: None) -> Iterator[Filtered]:
        """The map of every view, in order; all zero for a view with too little in common with others."""
        matched, agreed = PlaneStore(self._scratch / "matched"), PlaneStore(self._scratch / "agreed")
        usable = [index for index, sources in enumerate(self.sources) if len(sources)]
        views = self._model.views
        for done, index in enumerate(usable, 1):
            matched.put(index, self._match(index))
            report(MATCHING_FRACTION * done / len(usable), f"matching {done} of {len(usable)} views")
        for done, index in enumerate(usable, 1):
            agreed.put(index, self._agree(index, matched))
            fraction = MATCHING_FRACTION + AGREEMENT_FRACTION * done / len(usable)
            report(fraction, f"comparing neighbours {done} of {len(usable)}")
        start = MATCHING_FRACTION + AGREEMENT_FRACTION
        for index, view in enumerate(views):
            yield self._filter(index, agreed) if index in agreed else self._nothing(view)
            report(
                start + (1 - start) * (index + 1) / len(views), f"filtering {index + 1} of {len(views)} views"
            )
        shutil.rmtree(self._scratch)

    def _group(self, index: int) -> list[int]:
        return [index, *(int(source) for source in self.sources[index])]

    def _match(self, index: int) -> Planes:
        views = [self._model.views[i] for i in self._group(index)]
        # Matching stops one level short of the full size, which `agree_view` then does once.
        pyramids = [self._photos.pyramid(view)[1:] or self._photos.pyramid(view) for view in views]
        return match_view(views, pyramids, self._model, self._options.seed)

    def _agree(self, index: int, store: PlaneStore) -> Planes:
        group = self._group(index)
        views = [self._model.views[i] for i in group]
        levels = [self._photos.pyramid(view)[0] for view in views]
        return agree_view(views, levels, [store.get(i) for i in group], self._model, self._options.seed)

    def _filter(self, index: int, store: PlaneStore) -> Filtered:
        group = self._group(index)
        views = [self._model.views[i] for i in group]
        found, *others = [store.get(i) for i in group]
        levels = [self._photos.pyramid(view)[0] for view in views]
        level = make_level(views, levels, view_range(views[0], self._model), [o.planes for o in others])
        return filtered_map(views[0].image, found, level, levels[0].pixels, self._options.consistency)

    def _nothing(self, view: View) -> Filtered:
        width, height = map_size(view, self._options.max_side_px)
        empty = np.zeros((height, width), np.float32)
        K = K_scaled(view.K, (width / view.image_size_wh[0], height / view.image_size_wh[1]))
        normals = np.zeros((height, width, 3), np.float32)
        nothing = DepthMap(image=view.image, depth=empty, normals=normals, confidence=empty, K=K)
        return Filtered(map=nothing, agreeing=0.0, filled=0.0)


def pyramid_levels(max_side_px: int) -> int:
    """Levels of the pyramid of maps of this size."""
    return 1 + max(0, int(np.log2(max_side_px / COARSEST_PX)))
