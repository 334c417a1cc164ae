import numpy as np
import pytest

from ds3d_pipeline.mesh.adjacency import components, neighbour_pairs
from ds3d_pipeline.mesh.surface.poisson import poisson_surface
from ds3d_pipeline.mesh.texture.atlas import PADDING, lay_out, with_uvs
from ds3d_pipeline.mesh.texture.charts import chart_labels, projections
from ds3d_pipeline.mesh.texture.packing import pack
from ds3d_pipeline.mesh.texture.push_pull import push_pull
from ds3d_pipeline_tests.mesh.shapes import grid_mesh, look_at, sphere_cloud


@pytest.fixture(scope="module")
def ball():
    """A closed sphere seen from one side only, so that its back needs other projections, laid out."""
    mesh = poisson_surface(sphere_cloud(count=1000), 5)
    views = [look_at((x, 0.0, -3.0), size_wh=(640, 480), focal_px=600.0) for x in (-1.0, 0.0, 1.0)]
    ways, pairs = projections(mesh, views), neighbour_pairs(mesh.faces)
    quality = np.ones((3, len(mesh.vertices_in_world)), np.float32)
    return mesh, lay_out(mesh, chart_labels(mesh, quality, ways, pairs), ways, pairs, 2048)


def signed_areas(corners):
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2


def test_no_face_is_mirrored_or_flat(ball):
    mesh, atlas = ball
    # Counter-clockwise from outside is clockwise where y points down.
    assert (signed_areas(atlas.corners_xy.astype(float)) < 0).all()
    uvs = with_uvs(mesh, atlas).uvs
    assert uvs.min() >= 0
    assert uvs.max() <= 1


def test_every_face_has_its_own_texels(ball):
    """Each face's middle lies on a texel of its own, or of a neighbour where it is smaller than a texel."""
    _, atlas = ball
    columns, rows = atlas.corners_xy.mean(axis=1).astype(int).T
    owner = atlas.face_of_texel[rows, columns]
    assert (owner >= 0).all()
    assert (atlas.charts[owner] == atlas.charts).all()
    assert (owner == np.arange(len(owner))).mean() > 0.95


def test_charts_keep_their_distance(ball):
    _, atlas = ball
    corners = atlas.corners_xy.reshape(len(atlas.charts), -1, 2)
    boxes = [
        (corners[atlas.charts == c].min(axis=(0, 1)), corners[atlas.charts == c].max(axis=(0, 1)))
        for c in range(atlas.charts.max() + 1)
    ]
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[i + 1 :]:
            gap = np.maximum(other_low - high, low - other_high).max()
            assert gap >= 2 * PADDING - 1e-3


def test_vertices_are_doubled_only_between_charts(ball):
    mesh, atlas = ball
    doubled = with_uvs(mesh, atlas)
    assert len(mesh.vertices_in_world) < len(doubled.vertices_in_world) < 1.5 * len(mesh.vertices_in_world)
    np.testing.assert_array_equal(
        doubled.vertices_in_world[doubled.faces], mesh.vertices_in_world[mesh.faces]
    )


@pytest.mark.parametrize("seed", range(5))
def test_packed_rectangles_do_not_overlap(seed):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 40, (200, 2)).astype(np.int32)
    places = pack(sizes, 360)
    assert places is not None
    field = np.zeros((360, 360), int)
    for (left, top), (width, height) in zip(places, sizes, strict=True):
        assert left + width <= 360
        assert top + height <= 360
        field[top : top + height, left : left + width] += 1
    assert field.max() == 1


def test_what_does_not_fit_is_told():
    assert pack(np.array([[11, 2]], np.int32), 10) is None
    assert pack(np.array([[6, 6], [6, 6]], np.int32), 10) is None
    assert pack(np.array([[5, 10], [5, 10]], np.int32), 10) is not None


def test_neighbours_share_edges_and_components_follow_them():
    sheet = grid_mesh(side=5)
    pairs = neighbour_pairs(sheet.faces)
    assert len(pairs) == 16 + 4 * 3 * 2
    shared = [len(set(sheet.faces[a]) & set(sheet.faces[b])) for a, b in pairs]
    assert set(shared) == {2}
    assert components(pairs, len(sheet.faces)).max() == 0


def test_push_pull_keeps_what_is_covered_and_fills_the_rest_from_it():
    colors = np.zeros((64, 64, 3), np.uint8)
    covered = np.zeros((64, 64), bool)
    covered[10:20, 10:20], covered[40:50, 40:50] = True, True
    colors[10:20, 10:20], colors[40:50, 40:50] = (200, 0, 0), (0, 0, 200)
    filled = push_pull(colors, covered)
    np.testing.assert_array_equal(filled[covered], colors[covered])
    assert filled[9, 15, 0] > 150
    assert filled[51, 45, 2] > 150
    assert (filled.sum(axis=2) > 100).all()
