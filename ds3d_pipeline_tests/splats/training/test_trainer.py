"""Training on pictures drawn from a known splat, and the program around it."""

from dataclasses import replace

import numpy as np
import pytest

from ds3d_pipeline.errors import StageError
from ds3d_pipeline.splats.kernels.parameters import (
    LOG_SCALE,
    LOGIT,
    SH,
    gaussians_from_rows,
    rows_from_gaussians,
)
from ds3d_pipeline.splats.options import SplatOptions
from ds3d_pipeline.splats.stage import refuse_worse, split_photos
from ds3d_pipeline.splats.training.initialization import gaussian_budget, settled
from ds3d_pipeline.splats.training.photos import Photo, as_float
from ds3d_pipeline.splats.training.pruning import clean
from ds3d_pipeline.splats.training.scores import Scores, draw, psnr_db, score, ssim
from ds3d_pipeline.splats.training.trainer import train
from ds3d_pipeline_tests.splats.scenes import random_rows

SIZE_WH = (64, 48)
K = np.array([[70.0, 0, 32], [0, 70, 24], [0, 0, 1]])


def orbit(count: int, truth: np.ndarray) -> list[Photo]:
    """Photos of `truth` from `count` places on an arc of a circle around it."""
    photos = []
    for index, angle in enumerate(np.linspace(-0.6, 0.6, count)):
        cam_from_world = np.eye(4)
        cosine, sine = np.cos(angle), np.sin(angle)
        cam_from_world[:3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
        cam_from_world[2, 3] = 3
        blank = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
        photo = Photo(name=f"{index:03d}.png", pixels=blank, K=K, cam_from_world=cam_from_world)
        pixels = np.rint(draw(truth, photo, 0) * 255).astype(np.uint8).transpose(1, 2, 0)
        photos.append(replace(photo, pixels=pixels))
    return photos


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    rows = random_rows(150, 0, 0, spread=0.8)
    rows[:, LOG_SCALE:LOGIT] = np.random.default_rng(1).normal(-1.9, 0.3, (150, 3))
    rows[:, SH:] = np.random.default_rng(2).uniform(-1.5, 1.5, (150, 3))
    return rows


@pytest.fixture(scope="module")
def photos(truth) -> list[Photo]:
    return orbit(12, truth)


def rough(truth: np.ndarray) -> np.ndarray:
    """What a coarse point cloud of the truth would start training with: places only."""
    rows = rows_from_gaussians(gaussians_from_rows(truth), 1)
    rows[:, :3] += np.random.default_rng(5).normal(0, 0.03, (len(rows), 3))
    rows[:, LOG_SCALE:LOGIT] = -2.5
    rows[:, LOGIT] = 0
    rows[:, SH:] = 0
    return rows


OPTIONS = SplatOptions(iterations=300, max_seconds=1e6, max_gaussians=300, sh_degree=1)


@pytest.mark.slow
def test_training_approaches_photos_it_never_saw(truth, photos):
    training, heldout = split_photos(photos, 8)
    start = rough(truth)
    before = score(start, heldout, 1)
    trained = train(start, training, OPTIONS)
    after = score(trained.rows, heldout, 1)
    assert after.psnr_db > before.psnr_db + 6
    assert after.ssim > before.ssim + 0.1
    assert trained.iterations == 300
    assert len(trained.rows) == 300
    assert trained.train_psnr_db > 25


def test_training_repeats_with_its_seed(truth, photos):
    options = replace(OPTIONS, iterations=60)
    first, again = (train(rough(truth), photos, options) for _ in range(2))
    other = train(rough(truth), photos, replace(options, seed=1))
    np.testing.assert_array_equal(first.rows, again.rows)
    assert not np.array_equal(first.rows, other.rows)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_rough_starts_never_end_in_nan(photos, seed):
    rows = random_rows(80, 1, seed, spread=2.5)
    rows[:10, LOG_SCALE:LOGIT] = -20
    rows[10:20, LOG_SCALE:LOGIT] = 3
    rows[20:30, LOGIT] = 30
    trained = train(rows, photos, replace(OPTIONS, iterations=100, seed=seed))
    assert np.isfinite(trained.rows).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_two_thousand_steps_never_end_in_nan(truth, seed):
    options = replace(OPTIONS, iterations=2000, max_gaussians=200, seed=seed)
    trained = train(random_rows(60, 1, seed, spread=1.0), orbit(4, truth), options)
    assert trained.iterations == 2000
    assert np.isfinite(trained.rows).all()


@pytest.mark.slow
def test_the_time_limit_ends_training_and_the_schedule_with_it(truth, photos):
    reports = []
    options = replace(OPTIONS, iterations=10**7, max_seconds=1.0)
    trained = train(rough(truth), photos, options, report=lambda done, *_, **fields: reports.append(done))
    assert trained.seconds > 0.9
    assert reports == sorted(reports)
    assert reports[-1] > 0.8
    assert len(trained.rows) == 300


def test_the_start_is_left_as_it_is(truth, photos):
    start = rough(truth)
    copy = start.copy()
    train(start, photos, replace(OPTIONS, iterations=5))
    np.testing.assert_array_equal(start, copy)


@pytest.mark.parametrize(("count", "held"), [(3, []), (7, []), (8, [4]), (11, [4]), (20, [4, 12])])
def test_every_eighth_photo_is_held_out(photos, count, held):
    many = [replace(photos[0], name=str(index)) for index in range(count)]
    training, heldout = split_photos(many, 8)
    assert [int(photo.name) for photo in heldout] == held
    assert [int(photo.name) for photo in training] == [i for i in range(count) if i not in held]


def test_the_truth_scores_as_perfect(truth, photos):
    scores = score(truth, photos, 0)
    # What is left is the rounding to 8 bits.
    assert scores.psnr_db > 50
    assert scores.ssim > 0.99
    assert scores.images == tuple(photo.name for photo in photos)


def test_psnr_and_ssim_of_known_pictures(photos):
    image = as_float(photos[0].pixels)
    assert psnr_db(np.zeros_like(image), np.full_like(image, 0.1)) == pytest.approx(20, abs=1e-4)
    assert ssim(image, image) == pytest.approx(1, abs=1e-5)


def test_cleaning_drops_what_shows_nothing_and_keeps_the_picture(truth, photos):
    broken = random_rows(9, 0, 4)
    broken[:3, 0] = np.nan
    broken[3:6, LOGIT] = -9
    broken[6:, 2] = -90
    rows, removed = clean(np.concatenate([truth, broken]), photos, truth[:, :3])
    assert removed["not_finite"] == 3
    assert removed["transparent"] >= 3
    assert removed["unseen"] >= 3
    assert removed["far"] == 0
    np.testing.assert_array_equal(draw(rows, photos[3], 0), draw(truth, photos[3], 0))


def test_cleaning_drops_what_fled_the_scene_and_what_is_larger_than_it(truth, photos):
    fled = truth[:4].copy()
    fled[:2, 2] = 60
    fled[2:, LOG_SCALE] = 4
    rows, removed = clean(np.concatenate([truth, fled]), photos, truth[:, :3])
    assert removed == {"not_finite": 0, "transparent": 0, "unseen": 0, "far": 4}
    np.testing.assert_array_equal(rows, truth)


@pytest.mark.parametrize(
    ("option", "lengths", "rest"),
    [
        ("max_seconds", (10.0, 180.0, 900.0), {"iterations": 10_000_000}),
        ("iterations", (167, 3000, 15_000), {"max_seconds": 1e6}),
    ],
)
def test_the_budget_follows_the_number_of_steps_and_the_time_limit(option, lengths, rest):
    assert gaussian_budget(SplatOptions(max_gaussians=10, max_seconds=100)) == 10
    short, long, longer = (
        gaussian_budget(SplatOptions(max_gaussians=50_000_000, **rest, **{option: length}))
        for length in lengths
    )
    assert short < 10**5
    assert long == pytest.approx(18 * short, rel=0.01)
    assert 2 * long < longer < 4 * long


@pytest.mark.parametrize(("photos", "degree"), [(3, 0), (4, 1), (9, 2), (15, 2), (16, 3), (400, 3)])
def test_few_photos_get_fewer_harmonics(photos, degree):
    assert settled(SplatOptions(sh_degree=3), photos).sh_degree == degree
    assert settled(SplatOptions(sh_degree=1), photos).sh_degree == min(degree, 1)


def test_no_gaussian_outgrows_its_distance_to_the_cameras(truth, photos):
    rows = rough(truth)
    rows[:20, LOG_SCALE:LOGIT] = 2
    trained = train(rows, photos, replace(OPTIONS, iterations=40)).rows
    centres = np.array([photo.centre_in_world for photo in photos])
    distance = np.linalg.norm(trained[:, None, :3] - centres, axis=2).min(axis=1)
    largest = np.exp(trained[:, LOG_SCALE:LOGIT].max(axis=1))
    assert len(trained) == 300
    # Means and scales move a little between two limits.
    assert (largest < 1.2 * 0.3 * distance).all()


def test_a_result_worse_than_the_light_splat_is_refused():
    better, worse = (Scores(images=("a",), psnr_db=value, ssim=0.5) for value in (20.0, 19.0))
    refuse_worse(worse, better)
    for before, after in ((better, worse), (better, replace(better, psnr_db=float("nan")))):
        with pytest.raises(StageError, match="Training did not improve the splat"):
            refuse_worse(before, after)
