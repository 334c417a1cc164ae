"""Metres from GPS: right where the places are good, refused where they are not."""

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from ds3d_pipeline.poses.gps import fit_gps
from ds3d_pipeline.poses.normalize import normalize
from ds3d_pipeline.poses.report import MetricScale
from ds3d_pipeline.scene import Exif, Keyframe

HOME = (47.37, 8.54, 430.0)
COUNT = 24
METRES_PER_UNIT = 2.5
EARTH_FROM_MODEL = Rotation.from_euler("xyz", [100, 20, 60], degrees=True).as_matrix()


def ring(radius_m, line=False):
    """Places (N, 3) east, north and up around a thing, or on a line past it."""
    angle = np.linspace(0, 2 * np.pi, COUNT, endpoint=False)
    across = np.zeros(COUNT) if line else radius_m * np.sin(angle)
    return np.stack([radius_m * np.cos(angle), across, 1.6 + 0.02 * radius_m * np.sin(3 * angle)], axis=1)


def centres_at(places_m):
    """Camera centres by image at these places, in units and axes of their own."""
    in_model = (places_m / METRES_PER_UNIT) @ EARTH_FROM_MODEL
    return {f"{index}.jpg": centre for index, centre in enumerate(in_model)}


def model_at(places_m):
    """A model of cameras there, with points between them."""
    model = pycolmap.Reconstruction()
    camera = pycolmap.Camera(model="PINHOLE", width=64, height=48, params=[50, 50, 32, 24], camera_id=1)
    model.add_camera_with_trivial_rig(camera)
    for index, (name, centre) in enumerate(centres_at(places_m).items()):
        image = pycolmap.Image(name=name, camera_id=1, image_id=index + 1)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pycolmap.Rotation3d(), -centre))
    for point in np.random.default_rng(0).normal(size=(20, 3)):
        model.add_point3D(point, pycolmap.Track(), np.zeros(3, np.uint8))
    return model


def frames_at(places_m, heights=True):
    """Keyframes whose EXIF tells these places."""
    told = pycolmap.GPSTransform().enu_to_ellipsoid(places_m, *HOME)
    return [
        Keyframe(
            image=f"{index}.jpg", source="", timestamp_s=None, sharpness=1, size_wh=(64, 48), camera=0,
            exif=Exif(latitude_deg=lat, longitude_deg=lon, altitude_m=alt if heights else None),
        )
        for index, (lat, lon, alt) in enumerate(told)
    ]  # fmt: skip


def noise(sigma_m, seed=0):
    return np.random.default_rng(seed).normal(scale=sigma_m, size=(COUNT, 3))


def test_noisy_places_give_the_scale():
    places = ring(40)
    fit = fit_gps(centres_at(places), frames_at(places + noise(1.5)))
    assert fit is not None
    assert fit.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=0.03)
    assert fit.photos == COUNT
    assert 1.5 < fit.error_m < 3.5


def test_a_wide_path_tells_down_and_a_straight_one_does_not():
    down_in_model = EARTH_FROM_MODEL.T @ [0, 0, -1]
    fit = fit_gps(centres_at(ring(60)), frames_at(ring(60) + noise(1.0)))
    assert fit is not None
    assert fit.down is not None
    assert np.degrees(np.arccos(fit.down @ down_in_model)) < 2
    straight = fit_gps(centres_at(ring(60, line=True)), frames_at(ring(60, line=True) + noise(1.0)))
    assert straight is not None
    assert straight.down is None
    assert straight.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=0.03)


def test_some_wild_places_are_left_out():
    places = ring(40)
    wild = places + noise(1.0)
    wild[[3, 9, 20]] += [60, -40, 0]
    fit = fit_gps(centres_at(places), frames_at(wild))
    assert fit is not None
    assert fit.photos == COUNT - 3
    assert fit.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=0.03)


@pytest.mark.parametrize("heights", [False, True])
def test_missing_or_wrong_heights_do_not_matter_on_level_ground(heights):
    told = ring(40) + noise(1.0) + [0, 0, 1] * noise(30, seed=1)
    fit = fit_gps(centres_at(ring(40)), frames_at(told, heights=heights))
    assert fit is not None
    assert fit.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=0.03)


def random_places():
    return np.random.default_rng(2).uniform(-80, 80, (COUNT, 3))


@pytest.mark.parametrize(
    ("places", "told"),
    [(ring(3), ring(3)), (ring(40), random_places()), (ring(40), ring(40)[:1].repeat(COUNT, axis=0))],
    ids=["too close", "unrelated", "all the same"],
)
def test_places_that_say_little_are_refused(places, told):
    assert fit_gps(centres_at(places), frames_at(told + noise(1.0))) is None


def test_few_places_are_refused():
    assert fit_gps(centres_at(ring(40)), frames_at(ring(40))[:4]) is None


def test_the_world_is_in_metres_or_says_that_it_is_not():
    model, places = model_at(ring(60)), ring(60)
    scale = normalize(model, frames_at(places + noise(0.5)))
    assert isinstance(scale, MetricScale)
    assert (scale.unit, scale.origin, scale.photos) == ("m", "gps", COUNT)
    centres = np.stack([model.images[i + 1].projection_center() for i in range(COUNT)])
    assert np.linalg.norm(centres[0] - centres[12]) == pytest.approx(120, rel=0.02)
    assert np.ptp(centres[:, 1]) < 6, "the walk is level: +y is down"
    assert normalize(model_at(ring(60)), frames_at(ring(2))) == "arbitrary"
