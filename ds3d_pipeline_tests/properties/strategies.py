"""What the examples are drawn from."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from ds3d_pipeline.geometry.transforms import rigid, rotation_from_quat_wxyz


def floats(low: float, high: float, width: int = 64):
    """Finite numbers without subnormal ones."""
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False, width=width)


def arrays32(shape, low: float, high: float):
    """float32 arrays whose values lie in [low, high]."""
    return nps.arrays(np.float32, shape, elements=floats(np.float32(low), np.float32(high), 32))


seeds = st.integers(0, 2**32 - 1)
points = nps.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=floats(-1e3, 1e3))
quats_wxyz = nps.arrays(np.float64, 4, elements=floats(-1, 1)).filter(lambda q: np.linalg.norm(q) > 1e-3)
rotations = quats_wxyz.map(rotation_from_quat_wxyz)
translations = nps.arrays(np.float64, 3, elements=floats(-100, 100))
rigids = st.builds(rigid, rotations, translations)
