"""Which views see the same things."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from ds3d_pipeline.scene import Int32, Reconstruction


def shared_points(reconstruction: Reconstruction) -> Int32:
    """(V, V) number of sparse points that two views both observe; 0 on the diagonal."""
    views = reconstruction.views
    rows = np.concatenate([np.full(len(v.point_ids), i) for i, v in enumerate(views)])
    columns = np.concatenate([v.point_ids for v in views])
    shape = (len(views), len(reconstruction.points_in_world))
    observes = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)
    counts = np.asarray((observes @ observes.T).todense(), dtype=np.int32)
    np.fill_diagonal(counts, 0)
    return counts


def neighbours_of(counts: Int32, view: int, most: int) -> list[int]:
    """Up to `most` views that share points with this one, those with the most shared points first."""
    order = np.argsort(-counts[view], kind="stable")[:most]
    return [int(other) for other in order if counts[view, other] > 0]
