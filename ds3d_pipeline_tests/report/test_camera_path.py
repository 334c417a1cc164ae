"""The drawing from above and what is measured on it."""

import dataclasses
import re

import numpy as np
import pytest

from ds3d_pipeline.report.camera_path import draw_path, measure_path
from ds3d_pipeline.scene import Reconstruction, View

K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])


def look_at(centre, target):
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross([0, 1.0, 0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ centre
    return pose


def ring(arc_deg, *, views=13, height=-0.5, heights=0.0):
    """Cameras on an arc of radius 2 around a cloud at the origin; +y is down."""
    angles = np.radians(np.linspace(0, arc_deg, views))
    ys = height - heights * (np.arange(views) % 2)
    centres = np.stack([2 * np.sin(angles), ys, -2 * np.cos(angles)], axis=1)
    points = np.random.default_rng(0).normal(0, 0.2, (400, 3))
    return Reconstruction(
        views=tuple(
            View(
                image=f"{i}.jpg",
                image_size_wh=(320, 240),
                K=K,
                cam_from_world=look_at(centre, np.zeros(3)),
                point_ids=np.zeros(0, np.int32),
            )
            for i, centre in enumerate(centres)
        ),
        points_in_world=points - np.median(points, axis=0),
        colors=np.zeros((400, 3), np.uint8),
        errors_px=np.zeros(400),
        track_lengths=np.full(400, 3, np.int32),
    )


@pytest.mark.parametrize("arc_deg", [60, 120, 270])
def test_the_arc_is_the_one_that_was_walked(arc_deg):
    facts = measure_path(ring(arc_deg))
    assert facts.looks_inwards
    assert facts.arc_deg == pytest.approx(arc_deg, abs=0.5)
    assert facts.heights_deg == pytest.approx(0, abs=0.01)


def test_heights_are_angles_towards_the_middle():
    facts = measure_path(ring(180, height=0.0, heights=2.0))
    assert facts.heights_deg == pytest.approx(45, abs=0.5)


def test_turning_on_the_spot_hardly_moves():
    whole = ring(90)
    views = tuple(
        dataclasses.replace(v, cam_from_world=look_at(np.array([0, 0, -2 + 0.01 * i]), np.zeros(3)))
        for i, v in enumerate(whole.views)
    )
    facts = measure_path(dataclasses.replace(whole, views=views))
    assert facts.sideways == pytest.approx(0.12 / 1.94, rel=0.01)


def test_too_little_to_measure():
    whole = ring(90)
    assert measure_path(dataclasses.replace(whole, views=whole.views[:1])) is None
    assert measure_path(dataclasses.replace(whole, points_in_world=np.zeros((0, 3)))) is None


def numbers(path):
    return np.array([[float(n) for n in pair.split()] for pair in re.findall(r"[-\d.]+ [-\d.]+", path)])


def test_the_map_has_x_to_the_right_and_z_up_and_wedges_open_forwards():
    model = ring(90)
    path = draw_path(model, {view.image: view.image for view in model.views})
    # The first camera stands at z = -2 and looks along +z, the last at x = 2 and looks along -x.
    assert path.start_xy[1] > path.end_xy[1]
    assert path.start_xy[0] < path.end_xy[0]
    first, last = numbers(path.cameras[0].wedge), numbers(path.cameras[-1].wedge)
    assert (first[1:, 1] < first[0, 1]).all()
    assert (last[1:, 0] < last[0, 0]).all()
    width, height = path.size_wh
    track = numbers(path.track)
    assert ((track > 0) & (track < [width, height])).all()
    walked = np.linalg.norm(np.diff(track, axis=0), axis=1)
    assert walked == pytest.approx(np.full(12, walked.mean()), rel=0.02)


def test_the_line_breaks_where_a_frame_was_not_registered():
    model = ring(90, views=5)
    names = {"0.jpg": "a", "1.jpg": "b", "lost.jpg": "c", "2.jpg": "d", "3.jpg": "e", "4.jpg": "f"}
    path = draw_path(model, names)
    assert re.findall("[ML]", path.track) == ["M", "L", "M", "L", "L"]
    assert [camera.name for camera in path.cameras] == ["a", "b", "d", "e", "f"]
    assert draw_path(model, {"other.jpg": "x"}) is None
