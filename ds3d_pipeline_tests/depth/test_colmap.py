"""COLMAP's dense rung without a GPU: its script by a stand-in, and maps in its format with exact depth."""

import numpy as np
import pytest

from ds3d_pipeline.containers.engine import look_at_engine
from ds3d_pipeline.depth.colmap import make_script, write_script
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.depth.stage import colmap_depth
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.formats.colmap import read_depth_maps, read_reconstruction, write_array
from ds3d_pipeline.programs.contract import Progress, Work
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline_tests.colmap_stand_in import run_script
from ds3d_pipeline_tests.pointcloud.captures import WALL_Z, write_capture

KNOWS = {
    "help": "COLMAP 4.1 -- Structure-from-Motion\n (Commit 0 on 2026-01-01 with CUDA)\n",
    "patch_match_stereo": """  --workspace_path arg
  --PatchMatchStereo.max_image_size arg (=-1)
  --PatchMatchStereo.geom_consistency arg (=1)
  --PatchMatchStereo.filter arg (=1)
  --PatchMatchStereo.filter_min_num_consistent arg (=2)
""",
}
HALF_WH = (80, 60)


@pytest.fixture
def work(tmp_path):
    (tmp_path / "input").mkdir()
    (tmp_path / "output").mkdir()
    write_capture(tmp_path / "input", maps=False)
    options = DepthOptions(max_side_px=80, source_views=2)
    return Work(
        input=tmp_path / "input",
        output=tmp_path / "output",
        backend="colmap-container",
        options=options,
        progress=Progress(None),
    )


def put_maps(work, names, *, depth=WALL_Z, unknown=0.25):
    """What COLMAP writes: half the size, 0 where nothing is known."""
    width, height = HALF_WH
    found = np.full((height, width), depth, np.float32)
    found[: round(unknown * height)] = 0
    normals = np.tile(np.float32([0, 0, -1]), (height, width, 1))
    stereo = work.output / "scratch" / "dense" / "stereo"
    for name in names:
        write_array(stereo / "depth_maps" / f"{name}.geometric.bin", found)
        write_array(stereo / "normal_maps" / f"{name}.geometric.bin", normals)


def run_stereo(work, tmp_path):
    write_script(work)
    return run_script(tmp_path, KNOWS, work.input, work.output)


def test_the_workspace_names_images_and_their_sources(work, tmp_path):
    ((command, options),) = run_stereo(work, tmp_path)
    dense = work.output / "scratch" / "dense"
    assert (command, options["--workspace_path"]) == ("patch_match_stereo", str(dense))
    assert options["--PatchMatchStereo.max_image_size"] == "80"
    assert options["--PatchMatchStereo.geom_consistency"] == "1"
    assert sorted(path.name for path in (dense / "images").iterdir())[0] == "000001.png"
    assert (dense / "sparse" / "images.bin").is_file()
    lines = (dense / "stereo" / "patch-match.cfg").read_text().splitlines()
    assert lines[0::2] == [f"{number:06}.png" for number in range(1, 6)]
    assert all(len(line.split(", ")) == 2 for line in lines[1::2])


def test_its_maps_become_ours(work, tmp_path):
    run_stereo(work, tmp_path)
    put_maps(work, ["000002.png", "000003.png"])
    result = colmap_depth(work)
    assert (result.maps, result.coverage) == (2, 0.75)
    assert result.colmap.startswith("COLMAP 4.1")
    found = read_depth_maps(work.output, read_reconstruction(work.input / "sparse"))
    assert [one.image for one in found] == ["000002.png", "000003.png"]
    for one in found:
        assert set(np.unique(one.depth)) == {0, np.float32(WALL_Z)}
        assert set(np.unique(one.confidence)) == {0, 0.75}
        assert (one.normals[one.depth == 0] == 0).all()
        assert one.K[0, 0] == pytest.approx(75)
    assert not (work.output / "scratch").exists()


def test_hardly_any_depth_is_a_failure_with_numbers(work, tmp_path):
    run_stereo(work, tmp_path)
    put_maps(work, ["000002.png"], unknown=0.97)
    with pytest.raises(StageError, match=r"only 3\.3% of all pixels"):
        colmap_depth(work)


def test_no_map_is_a_failure(work, tmp_path):
    run_stereo(work, tmp_path)
    with pytest.raises(StageError, match="left no depth map"):
        colmap_depth(work)


def test_views_with_nothing_in_common_are_refused(tmp_path):
    (tmp_path / "input").mkdir()
    write_capture(tmp_path / "input", maps=False, views=1)
    work = Work(
        input=tmp_path / "input",
        output=tmp_path,
        backend="",
        options=DepthOptions(),
        progress=Progress(None),
    )
    with pytest.raises(StageError, match=r"No two views have enough sparse points in common \(1 view\)"):
        write_script(work)


def test_the_rung_is_skipped_without_a_gpu():
    if look_at_engine().gpus:
        pytest.skip("does not apply: there is a GPU here")
    passed = {
        attempt.backend: attempt.reason for attempt in plan_ladder("depth_maps", DepthOptions()).skipped
    }
    assert passed["colmap-container"]
    assert "patch_match_stereo" in make_script(DepthOptions())
