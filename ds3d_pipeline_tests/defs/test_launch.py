"""Requests as Dagster keeps them: what goes into a run comes out of it again, whoever asked."""

from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.launch import launch_of, request_of
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.names import MODES, STAGES

TABLES = {
    "capture": {"max_files": 9},
    "keyframes": {"max_frames": 12, "max_gap_s": 0.5},
    "mesh": {"max_faces": 900, "texture_px": 0},
    "splat": {"train": False},
}
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


def some(options: dict) -> st.SearchStrategy[dict]:
    """Any part of a table that is not empty."""
    return st.sets(st.sampled_from(sorted(options)), min_size=1).map(
        lambda keys: {k: options[k] for k in keys}
    )


requests = st.builds(
    RunRequest,
    capture=st.just("cup-01234567"),
    inputs=st.lists(names).map(tuple),
    mode=st.sampled_from(MODES),
    output=names.map(lambda name: Path("/made") / name.replace("/", "-")),
    tables=st.sets(st.sampled_from(sorted(TABLES))).flatmap(
        lambda stages: st.fixed_dictionaries({stage: some(TABLES[stage]) for stage in sorted(stages)})
    ),
    prefer=st.dictionaries(st.sampled_from(STAGES), names, max_size=3),
    start=st.none() | st.sampled_from(STAGES),
    source=st.sampled_from(("command_line", "watched_folder", "dagster")),
    upload=st.just("") | names,
)
selections = st.sets(st.sampled_from(STAGES), min_size=1)


def tags_of(launch, capture: str) -> dict[str, str]:
    """As Dagster adds the partition."""
    return launch.tags | {"dagster/partition": capture}


@settings(deadline=None)
@given(requests, selections)
def test_a_request_comes_back_from_its_run(request, stages):
    launch = launch_of(request, stages)
    assert set(launch.run_config["ops"]) <= stages
    assert request_of(launch.run_config, tags_of(launch, request.capture)) == request


def test_dagster_takes_what_a_request_becomes():
    request = RunRequest(
        capture="cup-01234567",
        inputs=("/films/cup.mp4",),
        mode="quality",
        output=Path("/made"),
        tables=TABLES,
        prefer={"mesh": "relief"},
        start="mesh",
        source="watched_folder",
        upload="quality/cup.mp4",
    )
    launch = launch_of(request, STAGES)
    dg.validate_run_config(defs.resolve_job_def(launch.job_name), launch.run_config)


@pytest.mark.parametrize("named", [None, "auto"])
def test_a_launch_in_the_ui_is_a_request_too(named):
    ops = {"mesh": {"config": {"max_faces": 900, "prefer": "relief", "texture_px": None}}}
    resources = {"mode": {"config": {"name": named}}} if named else {}
    request = request_of({"ops": ops, "resources": resources}, {"ds3d/mode": "fastest"})
    assert request == RunRequest(
        mode="fastest",
        output=Path("outputs"),
        tables={"mesh": {"max_faces": 900}},
        prefer={"mesh": "relief"},
        source="dagster",
    )
    assert request.options("mesh").max_faces == 900


def test_the_ui_may_name_files_folder_and_mode():
    ops = {"metrics": {"config": {"output": "/there"}}, "capture": {"config": {"inputs": ["a.mp4"]}}}
    config = {"ops": ops, "resources": {"mode": {"config": {"name": "quality"}}}}
    request = request_of(config, {"dagster/partition": "cup"})
    assert (request.mode, str(request.output), request.inputs) == ("quality", "/there", ("a.mp4",))
    assert request.tables == {}


def test_what_the_ui_changes_wins_over_what_an_earlier_run_left_out():
    request = RunRequest(capture="cup", output=Path("/made"), tables=TABLES, source="command_line")
    launch = launch_of(request, ["metrics"])
    changed = launch.run_config | {"ops": {"mesh": {"config": {"max_faces": 7}}}}
    again = request_of(changed, tags_of(launch, "cup"))
    assert again.tables == TABLES | {"mesh": {"max_faces": 7}}
