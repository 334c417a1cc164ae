"""Forms with files, as they come in over the wire."""

import shutil
import tempfile
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3d_pipeline.storage.registrations import Content, register_upload
from ds3d_pipeline.web.bodies import Slots
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.receive import received_form, remove_halves
from ds3d_pipeline.web.settings import Limits
from ds3d_pipeline_tests.disks import small_disk
from ds3d_pipeline_tests.homes import make_home
from ds3d_pipeline_tests.web.bodies import cut, request_of
from ds3d_pipeline_tests.web.forms import FORM_TYPE, field_part, file_part, form

ROOMY = Limits(reserve_bytes=0)
HEADERS = {"content-type": FORM_TYPE}


def receive(folder, request, limits=ROOMY):
    """The files by name and the fields; the folder is gone afterwards."""

    async def run():
        async with received_form(request, folder, limits) as received:
            return {path.name: path.read_bytes() for path in received.files}, received.fields

    try:
        return anyio.run(run)
    finally:
        assert not folder.exists()


def refusal(folder, request, limits=ROOMY):
    with pytest.raises(Problem) as raised:
        receive(folder, request, limits)
    return raised.value


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new.part"


def test_files_and_fields_arrive_whole(folder):
    body = form(file_part("a.jpg", b"\x00\r\n--\xff"), file_part("b.jpg", b""), field_part("mode", "fastest"))
    assert receive(folder, request_of([body], HEADERS)) == (
        {"a.jpg": b"\x00\r\n--\xff", "b.jpg": b""},
        {"mode": "fastest"},
    )


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 100), files=st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_borders_of_chunks_do_not_matter(size, files):
    body = form(*(file_part(f"{number}.jpg", data) for number, data in enumerate(files)))
    with tempfile.TemporaryDirectory() as root:
        found, _ = receive(Path(root) / "new.part", request_of(cut(body, size), HEADERS))
    assert found == {f"{number}.jpg": data for number, data in enumerate(files)}


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=400), size=st.integers(1, 100))
def test_any_bytes_are_a_form_or_a_problem(body, size):
    with tempfile.TemporaryDirectory() as root:
        problem = refusal(Path(root) / "new.part", request_of(cut(body, size), HEADERS))
    assert problem.status == 400


@settings(max_examples=40, deadline=None)
@given(length=st.integers(0, 200))
def test_a_form_without_its_end_is_refused(length):
    whole = form(file_part("a.jpg", b"x" * 40))
    with tempfile.TemporaryDirectory() as root:
        problem = refusal(
            Path(root) / "new.part", request_of([whole[: min(length, len(whole) - 5)]], HEADERS)
        )
    assert problem.status == 400


def test_a_cut_upload_leaves_nothing(folder):
    begun = []
    request = request_of(
        [form(file_part("a.jpg", b"x" * 999))[:600]], HEADERS, then=lambda: begun.append(folder.exists())
    )
    assert refusal(folder, request).status == 400
    assert begun == [True]


def test_an_upload_that_sends_nothing_is_ended(folder):
    request = request_of([form(file_part("a.jpg", b"x"))[:50]], HEADERS, stalls=True)
    problem = refusal(folder, request, Limits(reserve_bytes=0, idle_s=0.05))
    assert (problem.status, problem.cause) == (400, "Nothing came for 0.05 s.")


def test_a_name_that_leads_elsewhere_stays_in_the_folder(folder):
    body = form(file_part("../../evil.jpg", b"1"), file_part("..\\..\\evil.jpg", b"2"))
    assert receive(folder, request_of([body], HEADERS))[0] == {"evil.jpg": b"1", "evil-2.jpg": b"2"}


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="]
)
def test_another_kind_of_body_is_refused(folder, kind):
    assert refusal(folder, request_of([b"x"], {"content-type": kind})).status == 415


@pytest.mark.parametrize(
    ("parts", "limits", "status"),
    [
        ([file_part("a.jpg", b"x")] * 3, {"max_files": 2}, 413),
        ([file_part("a.jpg", b"x" * 5000)], {"max_bytes": 4000}, 413),
        ([field_part("name", "x" * 11)], {"max_field_bytes": 10}, 413),
        ([b"X-Long: " + b"x" * 5_000_000 + b"\r\n\r\n"], {}, 400),
        ([b"".join(b"X-%d: 1\r\n" % n for n in range(2500)) + b"\r\n"], {}, 400),
    ],
)
def test_limits(folder, parts, limits, status):
    request = request_of(cut(form(*parts), 65536), HEADERS)
    assert refusal(folder, request, Limits(reserve_bytes=0, **limits)).status == status


@pytest.mark.parametrize(
    "parts",
    [
        [field_part("config", "{}")],
        [field_part("", "x")],
        [file_part("a.jpg", b"x", field="file")],
        [field_part("mode", "fastest"), field_part("mode", "quality")],
    ],
)
def test_unknown_fields(folder, parts):
    assert refusal(folder, request_of([form(*parts)], HEADERS)).status == 422


@pytest.mark.parametrize("length", ["100000000000000", "20000000001", "9" * 40, "-1", "1e3"])
def test_a_length_beyond_the_limit_is_refused_before_the_body(folder, length):
    request = request_of([], HEADERS | {"content-length": length}, stalls=True)
    assert refusal(folder, request).status == 413


def test_a_length_beyond_the_room_on_the_disk_is_refused_before_the_body(folder):
    free = shutil.disk_usage(folder.parent).free
    request = request_of([], HEADERS | {"content-length": "100000"}, stalls=True)
    assert refusal(folder, request, Limits(reserve_bytes=free)).status == 507


def test_disk_reserve(tmp_path):
    with small_disk(tmp_path / "disk", 4096) as disk:
        body = form(file_part("a.jpg", b"x" * 6_000_000))
        assert refusal(disk / "new.part", request_of(cut(body, 65536), HEADERS)).status == 507


def test_room_is_looked_at_while_an_upload_of_unknown_length_comes_in(folder):
    free = shutil.disk_usage(folder.parent).free
    request = request_of([form(file_part("a.jpg", b"x" * 1_000_000))] * 40, HEADERS)
    assert refusal(folder, request, Limits(reserve_bytes=free - 1_000)).status == 507


def test_what_a_killed_server_was_receiving_is_removed(tmp_path):
    home = make_home(tmp_path / "home")
    register_upload(home, "fox-0123abcd", [], Content(kind="photos", files=(), sha256="0", bounds={}))
    received = tmp_path / "received"
    for name in ("0123.part", "0123.tus", "fox-0123abcd", "deleted-0123abcd"):
        (received / name).mkdir(parents=True)
        (received / name / "a.jpg").write_bytes(b"x")
    remove_halves(home, received)
    assert {path.name for path in received.iterdir()} == {"fox-0123abcd", "0123.tus"}


def hold(slots, then):
    """What becomes of one that comes while another holds a slot until `then` has passed."""

    async def first():
        async with slots.one():
            await anyio.sleep(then)

    async def run():
        async with anyio.create_task_group() as group:
            group.start_soon(first)
            await anyio.sleep(0.01)
            async with slots.one():
                return "came in"

    return anyio.run(run)


def test_an_upload_waits_for_its_turn():
    assert hold(Slots(1, wait_s=20), then=0.1) == "came in"


def test_an_upload_that_waits_too_long_is_told_when_to_come_back():
    with pytest.RaisesGroup(Problem) as raised:
        hold(Slots(1, wait_s=0.1), then=0.5)
    (problem,) = raised.value.exceptions
    assert (problem.status, problem.retry_after_s) == (503, 5.0)


def test_a_slot_is_free_again_after_an_error():
    async def run():
        slots = Slots(1, wait_s=1)
        with pytest.raises(ZeroDivisionError):
            async with slots.one():
                raise ZeroDivisionError
        async with slots.one():
            return "came in"

    assert anyio.run(run) == "came in"
