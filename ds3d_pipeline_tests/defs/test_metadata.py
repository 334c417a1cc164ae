"""What the UI shows of every asset: pictures that fit a database, numbers that it plots, tables."""

import base64
import re
from dataclasses import replace

import dagster as dg
import pytest
from PIL import Image
from upath import UPath

from ds3d_pipeline.defs.metadata import describe, link_files
from ds3d_pipeline.storage.bundles import Attempt
from ds3d_pipeline_tests.finished import make_bundles, noise_picture

MAX_BYTES = 50_000
"""Of a thumbnail as it stands in the instance database."""
FELL_BACK = (
    Attempt(backend="poisson", outcome="failed", reason="No surface.", seconds=3.0),
    Attempt(backend="relief", outcome="ok", seconds=2.0),
)


def look_at(step):
    seconds, psnr_db = 10.0 * step, 15.0 + step
    return {"done": step / 8, "seconds": seconds, "iteration": step, "gaussians": 9, "psnr_db": psnr_db}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metadata")
    made = make_bundles(folder, attempts={"mesh": FELL_BACK})
    noise_picture(made["mesh"].folder / "preview.jpg", (2000, 700))
    noise_picture(made["splat"].folder / "heldout" / "0001.jpg", (1900, 700))
    looks = [look_at(step) for step in range(9)]
    splat = made["splat"]
    report = replace(splat.report, result=splat.report.result | {"curve": looks})
    return made | {"splat": replace(splat, report=report)}


def pictures(bundle) -> dict[str, str]:
    shown = {name: value.md_str for name, value in describe(bundle).items() if is_picture(value)}
    for text in shown.values():
        assert re.fullmatch(r"!\[picture\]\(data:image/(jpeg|png|svg\+xml);base64,[A-Za-z0-9+/=]+\)", text)
    return shown


def is_picture(value) -> bool:
    return isinstance(value, dg.MarkdownMetadataValue)


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ("keyframes", {"contact_sheet_picture", "sharpness_picture"}),
        ("poses", {"camera_path_from_above"}),
        ("depth_maps", {"preview_picture"}),
        ("mesh", {"preview_picture"}),
        ("splat", {"training_curve", "heldout_0000_picture", "heldout_0001_picture"}),
    ],
)
def test_every_stage_shows_its_pictures_and_none_outgrows_the_database(bundles, stage, names):
    shown = pictures(bundles[stage])
    assert set(shown) == names
    assert all(len(text) < MAX_BYTES for text in shown.values())


def test_the_files_themselves_are_linked_where_they_will_stand(bundles, tmp_path):
    links = link_files(bundles["splat"], UPath(tmp_path))
    assert links["splat.ply"] == dg.MetadataValue.path(str(tmp_path / "splat.ply"))
    assert links["heldout/0001.jpg"] == dg.MetadataValue.path(str(tmp_path / "heldout" / "0001.jpg"))


def test_a_picture_that_is_small_already_is_shown_as_it_is(bundles):
    path = bundles["keyframes"].folder / "sharpness.png"
    text = pictures(bundles["keyframes"])["sharpness_picture"]
    assert base64.b64decode(text.split("base64,")[1][:-1]) == path.read_bytes()
    with Image.open(path) as image:
        assert image.format == "PNG"


def test_many_cameras_still_make_a_small_drawing(tmp_path):
    names = tuple(f"IMG_{number}.jpg" for number in range(300))
    shown = pictures(make_bundles(tmp_path, names=names)["poses"])
    assert len(shown["camera_path_from_above"]) < MAX_BYTES


def test_numbers_are_numbers_that_dagster_plots(bundles):
    told = dg.AssetMaterialization("splat", metadata=describe(bundles["splat"])).metadata
    assert told["heldout_psnr_db"] == dg.FloatMetadataValue(24.5)
    assert told["gaussians"] == dg.IntMetadataValue(300)
    assert told["seconds"] == dg.FloatMetadataValue(2.0)


def test_attempts_are_a_table_with_backend_outcome_and_reason(bundles):
    table = describe(bundles["mesh"])["attempts"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data["outcome"] for record in table.records] == ["failed", "ok"]
    assert table.records[0].data["reason"] == "No surface."
