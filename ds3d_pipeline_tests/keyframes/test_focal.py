import pytest

from ds3d_pipeline.keyframes.focal import focal_px_from_exif, sensor_width_mm_of
from ds3d_pipeline.scene import Exif


def test_35_mm_equivalent_by_the_diagonal():
    """43.27 mm is as long as the diagonal: on 4000 x 3000, of diagonal 5000, 26 mm is 3004.6 px."""
    assert focal_px_from_exif(Exif(focal_35mm=26.0), (4000, 3000)) == pytest.approx(3004.6, abs=0.1)
    assert focal_px_from_exif(Exif(focal_35mm=26.0), (3000, 4000)) == pytest.approx(3004.6, abs=0.1)


def test_it_scales_with_the_size():
    exif = Exif(model="NIKON D800", focal_mm=50.0)
    assert focal_px_from_exif(exif, (1600, 1067)) == pytest.approx(1600 * 50 / 35.9)
    assert focal_px_from_exif(exif, (533, 800)) == pytest.approx(800 * 50 / 35.9)


def test_the_35_mm_equivalent_goes_first():
    exif = Exif(model="NIKON D800", focal_mm=50.0, focal_35mm=43.2666)
    assert focal_px_from_exif(exif, (400, 300)) == pytest.approx(500, rel=1e-5)


@pytest.mark.parametrize(
    "exif", [Exif(), Exif(focal_mm=5.0, model="Nobody's"), Exif(focal_35mm=1.0), Exif(focal_35mm=9000.0)]
)
def test_nothing_known_or_nonsense(exif):
    assert focal_px_from_exif(exif, (4000, 3000)) is None


def test_models_are_found_whatever_the_case():
    assert sensor_width_mm_of(Exif(model="canon eos 5d mark ii ")) == 36.0
    assert sensor_width_mm_of(Exif(make="Canon")) is None
