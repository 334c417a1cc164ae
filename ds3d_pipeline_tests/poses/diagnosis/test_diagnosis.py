"""Every kind of bad capture gets its own diagnosis, good ones get none."""

import shutil
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.poses.diagnosis.diagnosis import diagnose, judge
from ds3d_pipeline.poses.diagnosis.evidence import Evidence, FrameEvidence, ModelEvidence, PairEvidence
from ds3d_pipeline.synthetic.options import PathOptions, SceneOptions
from ds3d_pipeline_tests.poses.captures import make_photos, map_photos

TURN = PathOptions(name="rotation", arc_deg=40)


def good(folder):
    return make_photos(folder)


def turning(folder):
    return make_photos(folder, path=TURN)


def turning_behind_a_bent_lens(folder):
    return make_photos(folder, path=TURN, radial_k1=-0.1)


def plain(folder):
    return make_photos(folder, scene=SceneOptions(name="plain"))


def blurred(folder):
    return make_photos(folder, defocus_px=7.0)


def two_rooms(folder):
    rooms = (
        make_photos(folder / "a", frames=7),
        make_photos(folder / "b", scene=SceneOptions(seed=5), frames=6),
    )
    return [
        shutil.copyfile(photo, folder / f"{room}{number}.jpg")
        for room, photos in zip(("kitchen", "parlour"), rooms, strict=True)
        for number, photo in enumerate(photos, 1)
    ]


def crowd(folder):
    """Textured patches that all go their own way over an even wall."""
    random = np.random.default_rng(3)
    noise = random.integers(0, 256, (24, 48, 48, 3), np.uint8)
    patches = [cv2.GaussianBlur(one, (0, 0), 1.2) for one in noise]
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(4)), axis=-1).reshape(-1, 2) * 120
    folder.mkdir()
    for index in range(7):
        picture = np.full((480, 720, 3), 128, np.uint8)
        for patch, (x, y) in zip(patches, grid + random.integers(0, 72, grid.shape), strict=True):
            picture[y : y + 48, x : x + 48] = patch
        Image.fromarray(picture).save(folder / f"{index}.png")
    return sorted(folder.iterdir())


def scattered(folder):
    """Every picture shows a place of its own."""
    folder.mkdir()
    random = np.random.default_rng(1)
    for index in range(5):
        picture = cv2.GaussianBlur(random.integers(0, 256, (240, 320, 3), np.uint8), (0, 0), 1.5)
        Image.fromarray(picture).save(folder / f"{index}.png")
    return sorted(folder.iterdir())


CASES = [
    (turning, "only rotated"),
    (turning_behind_a_bent_lens, "only rotated"),
    (plain, "too little texture"),
    (blurred, "blurred"),
    (crowd, "Something in the scene moves"),
    (scattered, "do not overlap"),
]


def cause_and_remedy(folder, photos):
    """Of the failure, or of the poor result."""
    try:
        told = map_photos(folder, photos).diagnosis
    except StageError as error:
        return error.cause, error.remedy
    assert told is not None
    return told.cause, told.remedy


@pytest.mark.slow
@pytest.mark.parametrize(("make", "phrase"), CASES)
def test_each_capture_gets_its_own_cause(tmp_path, make, phrase):
    cause, remedy = cause_and_remedy(tmp_path, make(tmp_path / "photos"))
    assert phrase in cause
    assert {other for _, other in CASES if other in cause} == {phrase}
    assert remedy


@pytest.mark.slow
def test_a_good_capture_gets_none(tmp_path):
    result = map_photos(tmp_path, good(tmp_path / "photos"))
    assert result.diagnosis is None
    assert (result.registered, result.unregistered_frames, result.largest_gap) == (8, (), 0)
    assert result.evidence.triangulation_angle_deg > 5
    assert result.evidence.parallax_deg > 1.5


@pytest.mark.slow
def test_of_two_rooms_the_larger_is_registered_and_the_other_named(tmp_path):
    result = map_photos(tmp_path, two_rooms(tmp_path / "photos"))
    assert result.diagnosis.kind == "groups"
    assert "7 photos from kitchen1.jpg to kitchen7.jpg" in result.diagnosis.cause
    assert not any(phrase in result.diagnosis.cause for _, phrase in CASES)
    assert result.registered == 7
    assert [frame.source for frame in result.unregistered_frames] == [f"parlour{n}.jpg" for n in range(1, 7)]
    assert result.unregistered_text == (
        "Not aligned: parlour1.jpg to parlour6.jpg (6 photos, after kitchen7.jpg)."
    )


@pytest.mark.parametrize(("capture", "count"), [("fountain-P11", 11), ("sceaux-castle", 11), ("fox", 10)])
def test_real_captures_get_none(shared_data, tmp_path, capture, count):
    photos = sorted((shared_data / capture / "images").iterdir())[:count]
    small = tmp_path / "small"
    small.mkdir()
    for photo in photos:
        image = Image.open(photo)
        image.thumbnail((640, 640))
        image.save(small / f"{photo.stem}.jpg", quality=95)
    result = map_photos(tmp_path, sorted(small.iterdir()), max_features=2000)
    assert result.diagnosis is None
    assert result.registered == count


# The rules on plain numbers.

FRAMES = tuple(
    FrameEvidence(image=f"{n:06}.jpg", name=f"IMG_{n}.jpg", features=2000, sharpness=0.2, contrast=None)
    for n in range(10)
)
MODEL = ModelEvidence(
    images=frozenset(frame.image for frame in FRAMES), points_per_frame=800, triangulation_angle_deg=12
)


def pair(first, second, **numbers):
    usual = {"matches": 500, "inliers": 450, "homography_fraction": 0.6, "parallax_deg": 2.5}
    return PairEvidence(first=first, second=second, **(usual | numbers))


def chain(indices, **numbers):
    return tuple(pair(a, b, **numbers) for a, b in pairwise(indices))


def evidence(pairs, model=MODEL, frames=FRAMES):
    return Evidence(frames=frames, pairs=pairs, model=model)


def registered(count):
    return replace(MODEL, images=frozenset(frame.image for frame in FRAMES[:count]))


def kind(found):
    return found.kind if found else None


def test_plenty_of_everything_is_no_diagnosis():
    assert diagnose(evidence(chain(range(10)))) is None
    assert judge(evidence(chain(range(10)))) is None


def test_a_turn_that_mapping_solved_by_chance_is_refused():
    pairs = chain(range(10), homography_fraction=0.99, parallax_deg=0.2)
    garbage = replace(registered(4), triangulation_angle_deg=9, points_per_frame=40)
    with pytest.raises(StageError, match="4 of 10 photos could be aligned, but only by chance"):
        judge(evidence(pairs, garbage))


def test_angles_that_the_matches_do_not_have_are_refused():
    pairs = chain(range(10), homography_fraction=0.99, parallax_deg=0.2)
    with pytest.raises(StageError, match="10 of 10 photos could be aligned, but only by chance"):
        judge(evidence(pairs))


def test_dense_frames_with_little_parallax_between_neighbours_are_good():
    assert judge(evidence(chain(range(10), homography_fraction=0.99, parallax_deg=0.5))) is None


def test_narrow_angles_of_a_whole_model_are_named_but_not_refused():
    assert kind(judge(evidence(chain(range(10)), replace(MODEL, triangulation_angle_deg=1.4)))) == "parallax"


def test_a_plane_seen_from_all_sides_has_parallax():
    assert diagnose(evidence(chain(range(10), homography_fraction=1.0))) is None


def test_few_inliers_of_many_matches_mean_motion():
    assert kind(diagnose(evidence(chain(range(10), inliers=150)))) == "moving scene"


def test_few_of_many_matches_between_far_frames_mean_nothing():
    far = tuple(pair(a, a + 4, matches=100, inliers=30) for a in range(6))
    assert diagnose(evidence(chain(range(10)) + far)) is None


@pytest.mark.parametrize(
    ("sharpness", "contrast", "expected"), [(0.02, 8, "blur"), (0.2, 8, "texture"), (0.0, 0.5, "texture")]
)
def test_lost_frames_with_few_features_are_blurred_or_plain(sharpness, contrast, expected):
    poor = [replace(f, features=60, sharpness=sharpness, contrast=contrast) for f in FRAMES[6:]]
    found = diagnose(evidence(chain(range(6)), registered(6), (*FRAMES[:6], *poor)))
    assert kind(found) == expected


def test_single_frames_are_no_group():
    pairs = chain(range(7)) + chain([7, 8])
    assert kind(diagnose(evidence(pairs, registered(7)))) == "overlap"
    assert kind(diagnose(evidence(chain(range(7)) + chain([7, 8, 9]), registered(7)))) == "groups"


def test_one_frame_lost_of_ten_is_no_diagnosis():
    assert diagnose(evidence(chain(range(9)), registered(9))) is None


def test_nothing_registered_is_refused_with_the_count():
    with pytest.raises(StageError, match=r"None of the 10 photos could be aligned \(at least 3"):
        judge(evidence((), None))


def test_two_frames_are_too_few():
    with pytest.raises(StageError, match="only 2 usable photos"):
        judge(evidence(chain(range(2)), None, FRAMES[:2]))
