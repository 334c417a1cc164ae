"""Looks at a watched folder: what becomes a run, when, and how often."""

import errno
import json
import os
import shutil
import subprocess
import threading
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3d_pipeline.capture import content
from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.errors import InputError
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.intake.watched import reading
from ds3d_pipeline.intake.watched.ledger import read_ledger
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.intake.watched.scan import scan
from ds3d_pipeline.intake.watched.timing import AGAIN_S, Pace
from ds3d_pipeline.storage.delete import find_holdings, remove_holdings
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline.storage.ownership import mark_finished
from ds3d_pipeline.storage.registrations import registered_request, upload_files
from ds3d_pipeline_tests.capture.samples import write_video
from ds3d_pipeline_tests.intake.watched.folder import (
    EMOJI,
    QUIET_S,
    copy_half,
    move_out,
    picture,
    put_photo,
    put_photos,
    put_video,
    zip_of,
)


class Watch:
    """A home whose folder is looked at every `QUIET_S` seconds of a clock that the test moves."""

    def __init__(self, root) -> None:
        self.home = Home(root=root, storage=str(root / "storage"))
        self.folder = root / "uploads"
        self.folder.mkdir(parents=True)
        self.now, self.confirmed, self.lines, self.reader = 1000.0, None, (), Reader()
        self.failed = set()

    def tick(self, *, delivered: bool = True, work_s: float = 1000.0):
        """Requests of one look; not `delivered` is a daemon that dies before it has noted them."""
        self.now += QUIET_S
        pace = Pace(quiet_s=QUIET_S, work_s=work_s, clock=lambda: self.now)
        found = scan(self.home, self.folder, self.confirmed, pace, self.reader, self.failed.__contains__)
        self.lines = found.lines
        if delivered:
            self.confirmed = found.generation
        return [(queued.request.upload, queued.request.mode) for queued in found.queued]

    def told(self, name: str) -> str:
        (line,) = [line for line in self.lines if line.startswith(name)]
        return line

    def rejected(self) -> set[str]:
        return {path.name for path in (self.folder / "rejected").glob("*")}


@pytest.fixture
def watch(tmp_path):
    return Watch(tmp_path / "home")


def test_a_video_is_taken_once_it_did_not_change_for_a_tick(watch):
    put_video(watch.folder / "clip.mp4")
    assert watch.tick() == []
    assert "waits until nothing changes" in watch.told("clip.mp4")
    assert watch.tick() == [("clip.mp4", "balanced")]
    assert watch.tick() == []
    assert "taken as capture clip-" in watch.told("clip.mp4")


def test_what_is_taken_is_registered_for_every_route(watch):
    clip = put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    (queued,) = read_ledger(watch.home).queued.values()
    request = json.loads(upload_files(watch.home, queued.request.capture)["request.json"].read_text())
    assert request["inputs"] == [str(clip)]


def test_a_growing_file_waits(watch, tmp_path):
    whole, clip = put_video(tmp_path / "whole.mp4"), watch.folder / "clip.mp4"
    copy_half(whole, clip)
    assert watch.tick() == []
    shutil.copyfile(whole, clip)
    assert watch.tick() == []
    assert watch.tick() == [("clip.mp4", "balanced")]
    assert watch.rejected() == set()


def test_the_same_size_with_another_time_is_a_change(watch):
    clip = put_video(watch.folder / "clip.mp4")
    watch.tick()
    os.utime(clip, (5, 5))
    assert watch.tick() == []
    assert watch.tick() == [("clip.mp4", "balanced")]


@pytest.mark.parametrize("mark", ["clip.mp4.part", "clip.mp4.crdownload"])
def test_a_part_file_is_left_alone_however_long(watch, tmp_path, mark):
    copy_half(put_video(tmp_path / "whole.mp4"), watch.folder / mark)
    assert [watch.tick() for _ in range(4)] == [[]] * 4
    assert "is still being written" in watch.told(mark)
    assert (watch.folder / mark).exists()


def test_a_folder_is_complete_when_its_last_photo_is(watch, tmp_path):
    photos, room = sorted(put_photos(tmp_path / "room", 4).iterdir()), watch.folder / "room"
    room.mkdir()
    for photo in photos:
        assert watch.tick() == []
        shutil.copyfile(photo, room / photo.name)
    (room / "IMG_9.png.part").touch()
    assert [watch.tick(), watch.tick()] == [[], []]
    (room / "IMG_9.png.part").unlink()
    assert watch.tick() == []
    assert watch.tick() == [("room", "balanced")]


def test_a_zip_and_the_folder_it_was_made_of_are_one_capture(watch):
    room = put_photos(watch.folder / "room")
    zip_of(room, watch.folder / "room.zip")
    watch.tick()
    assert watch.tick() == [("room", "balanced")]
    assert "has the content of room" in watch.told("room.zip")
    assert "not run again" in watch.told("room.zip")


def test_the_content_of_a_deleted_capture_is_new(watch):
    room = put_photos(watch.folder / "room")
    watch.tick()
    assert watch.tick() == [("room", "balanced")]
    remove_holdings(find_holdings(watch.home, registered(watch.home)))
    assert watch.tick() == []
    zip_of(room, watch.folder / "room.zip")
    watch.tick()
    assert watch.tick() == [("room.zip", "balanced")]
    assert registered(watch.home)


def registered(home: Home) -> str:
    """The only capture."""
    (folder,) = home.registered.iterdir()
    return folder.name


def test_the_same_content_after_the_first_was_removed(watch):
    put_video(watch.folder / "clip.mp4")
    watch.tick()
    assert len(watch.tick()) == 1
    (watch.folder / "clip.mp4").rename(watch.folder / "other.mp4")
    assert [watch.tick(), watch.tick(), watch.tick()] == [[], [], []]
    assert "has the content of clip.mp4" in watch.told("other.mp4")


def test_subfolder_and_sidecar_set_the_mode_and_the_options(watch):
    put_video(watch.folder / "fastest" / "a.mp4", 1)
    put_video(watch.folder / "quality" / "b.mp4", 2)
    put_video(watch.folder / "c.mp4", 3)
    (watch.folder / "c.toml").write_text('mode = "fastest"\n[mesh]\nmax_faces = 1000\n')
    put_photos(watch.folder / "quality" / "room")
    (watch.folder / "quality" / "room.toml").write_text("[splat]\ntrain = false\n")
    watch.tick()
    assert sorted(watch.tick()) == [
        ("c.mp4", "fastest"),
        ("fastest/a.mp4", "fastest"),
        ("quality/b.mp4", "quality"),
        ("quality/room", "quality"),
    ]
    requests = [queued.request for queued in read_ledger(watch.home).queued.values()]
    tables = {request.upload: request.tables for request in requests}
    assert tables["c.mp4"] == {"mesh": {"max_faces": 1000}}
    assert tables["quality/room"] == {"splat": {"train": False}}


def test_another_mode_for_the_same_content_is_another_run_of_the_same_capture(watch):
    clip = put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    (watch.folder / "quality").mkdir()
    shutil.copyfile(clip, watch.folder / "quality" / "copy.mp4")
    watch.tick()
    assert watch.tick() == [("quality/copy.mp4", "quality")]
    assert len({queued.request.capture for queued in read_ledger(watch.home).queued.values()}) == 1


def test_a_later_sidecar_asks_for_a_run_without_reading_the_content_again(watch, monkeypatch):
    put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    monkeypatch.setattr(reading, "check", None)
    (watch.folder / "clip.toml").write_text('mode = "fastest"\n')
    assert watch.tick() == []
    assert watch.tick() == [("clip.mp4", "fastest")]


@pytest.mark.parametrize(
    ("name", "make", "cause", "remedy"),
    [
        ("broken.mp4", lambda p: p.write_bytes(b"no video" * 600), "broken.mp4", "."),
        ("junk.zip", lambda p: p.write_bytes(b"no zip"), "junk.zip", "zip"),
        ("notes.txt", lambda p: p.write_text("hello"), "unsupported file type", "mp4"),
        ("one.png", put_photo, "single", "folder"),
        ("texts", lambda p: (p.mkdir(), (p / "a.txt").write_text("x")), "no photos", "photos"),
    ],
)
def test_what_cannot_be_used_is_moved_and_told(watch, name, make, cause, remedy):
    make(watch.folder / name)
    assert [watch.tick(), watch.tick()] == [[], []]
    assert watch.rejected() == {name, f"{name}.txt"}
    assert not (watch.folder / name).exists()
    text = (watch.folder / "rejected" / f"{name}.txt").read_text()
    assert cause in text
    assert remedy in text
    assert len(text.splitlines()) == 1
    assert "moved to rejected/" in watch.told(name)
    assert watch.tick() == []
    assert "moved to rejected/" in watch.told(name)


def test_an_empty_folder_waits_for_its_photos(watch):
    (watch.folder / "room").mkdir()
    assert [watch.tick() for _ in range(3)] == [[], [], []]
    assert watch.rejected() == set()


SIDECARS = {
    "mode": 'mode = "best"\n',
    "list": 'mode = ["quality"]\n',
    "quoted": '[poses]\nmax_features = "96"\n',
    "broken": "mode = \n",
    "place": '[metrics]\noutput = "/elsewhere"\n',
    "deep": "x = " + "[" * 100_000,
    "bytes": "\udcff",
}


@pytest.mark.parametrize("text", SIDECARS.values(), ids=SIDECARS)
@pytest.mark.fault("watched folder that stops", "sidecar with a path")
def test_a_sidecar_that_does_not_fit_is_named_and_its_video_stays(watch, text):
    put_video(watch.folder / "clip.mp4", 1)
    put_video(watch.folder / "good.mp4", 2)
    (watch.folder / "clip.toml").write_text(text, errors="surrogateescape")
    watch.tick()
    assert watch.tick() == [("good.mp4", "balanced")]
    assert "clip.toml" in watch.told("clip.mp4")
    assert watch.rejected() == set()
    (watch.folder / "clip.toml").write_text('mode = "fastest"\n')
    watch.tick()
    assert watch.tick() == [("clip.mp4", "fastest")]


def loop(path):
    path.symlink_to(path)


def photos_with_loop(path):
    put_photos(path)
    loop(path / "again.png")


def deep(path):
    here = path
    path.mkdir()
    folder = os.open(path, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    put_photos(here)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (loop, "link to nothing"),
        (lambda path: path.symlink_to("/nowhere"), "link to nothing"),
        (photos_with_loop, "again.png, which is a link to nothing"),
        (deep, "room taken"),
    ],
)
@pytest.mark.fault("watched folder that stops", "watched folder, dangling link")
def test_odd_links_and_depths_are_named_and_stop_nothing(watch, make, words):
    make(watch.folder / "room")
    put_video(watch.folder / "good.mp4", 2)
    watch.tick()
    assert ("good.mp4", "balanced") in watch.tick()
    assert words in watch.told("room")
    assert watch.rejected() == set()
    # Python's own way to remove folders goes less deep.
    subprocess.run(["rm", "-rf", watch.folder / "room"], check=True)


@pytest.mark.parametrize("index_first", [True, False])
@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.fault("copy that stalls")
def test_a_copy_that_stalls_waits_and_is_taken_whole(watch, tmp_path, part, index_first):
    pictures = [picture(seed) for seed in range(20)]
    whole = write_video(tmp_path / "clip.mp4", pictures, index_first=index_first)
    clip, data = watch.folder / "clip.mp4", whole.read_bytes()
    clip.write_bytes(data[: int(len(data) * part)])
    assert [watch.tick() for _ in range(20)] == [[]] * 20
    assert "waits since" in watch.told("clip.mp4")
    assert watch.rejected() == set()
    clip.write_bytes(data)
    assert watch.tick() == []
    assert watch.tick() == [("clip.mp4", "balanced")]


def test_space_that_is_reserved_but_not_written_yet_waits(watch):
    (watch.folder / "clip.mp4").write_bytes(bytes(9000))
    assert [watch.tick() for _ in range(3)] == [[], [], []]
    assert "waits since" in watch.told("clip.mp4")
    assert watch.rejected() == set()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_half_a_zip_waits_and_is_taken_whole(watch, tmp_path, part):
    data = zip_of(put_photos(tmp_path / "room"), tmp_path / "room.zip").read_bytes()
    (watch.folder / "room.zip").write_bytes(data[: int(len(data) * part)])
    assert [watch.tick() for _ in range(5)] == [[]] * 5
    assert watch.rejected() == set()
    (watch.folder / "room.zip").write_bytes(data)
    watch.tick()
    assert watch.tick() == [("room.zip", "balanced")]


@pytest.mark.fault("watched folder that stops", "watched folder, bzip2")
@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_inside_a_zip_is_named_and_stops_nothing(watch, kind):
    packed = watch.folder / "room.zip"
    with zipfile.ZipFile(packed, "w", kind) as archive:
        archive.writestr("a.jpg", os.urandom(2000))
    data = bytearray(packed.read_bytes())
    data[200:220] = bytes(20)
    packed.write_bytes(data)
    put_video(watch.folder / "good.mp4")
    watch.tick()
    assert watch.tick() == [("good.mp4", "balanced")]
    assert "room.zip is not a readable zip file" in watch.told("room.zip")
    assert watch.rejected() == {"room.zip", "room.zip.txt"}


@pytest.mark.fault("watched folder that stops")
def test_a_damaged_list_of_uploads_is_kept_and_begun_anew(watch):
    put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    (watch.home.root / "uploads.json").write_text("")
    put_video(watch.folder / "other.mp4", 2)
    watch.tick()
    assert "list of uploads was damaged" in watch.lines[0]
    assert (watch.home.root / "uploads.damaged-1.json").exists()
    assert ("other.mp4", "balanced") in watch.tick()


@pytest.mark.parametrize("name", ["upload.json", "request.json"])
@pytest.mark.fault("watched folder that stops")
def test_a_damaged_registration_is_named_and_stops_nothing(watch, name):
    put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    (broken,) = watch.home.registered.glob(f"*/{name}")
    broken.write_text("")
    put_video(watch.folder / "other.mp4", 2)
    watch.tick()
    assert str(broken) in watch.lines[0]
    assert watch.tick() == [("other.mp4", "balanced")]


@pytest.mark.fault("watched folder that stops")
def test_a_file_in_the_place_of_the_folder_is_one_sentence(watch):
    watch.folder.rmdir()
    watch.folder.write_text("x")
    with pytest.raises(InputError, match="is a file"):
        watch.tick()


@pytest.mark.fault("watched folder, clock")
def test_a_date_that_jumps_changes_no_wait(watch):
    clip = put_video(watch.folder / "clip.mp4")
    os.utime(clip, (4e9, 4e9))
    watch.tick()
    assert watch.tick() == [("clip.mp4", "balanced")]


def test_a_result_of_ours_is_no_upload(watch):
    mark_finished(put_photos(watch.folder / "room"), "room", {})
    mark_finished(put_photos(watch.folder / "mine" / "room-12345678", seed=3), "room", {})
    put_photos(watch.folder / "mine" / "photos", seed=5)
    watch.tick()
    assert watch.tick() == [("mine", "balanced")]
    assert "made by ds3d" in watch.told("room")
    (queued,) = read_ledger(watch.home).queued.values()
    request = registered_request(watch.home, queued.request.capture)
    assert [file.name for file in request.content.files] == [f"photos/IMG_{n}.png" for n in range(3)]


def test_the_same_content_runs_again_after_a_run_that_failed(watch):
    clip = put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    watch.failed = set(read_ledger(watch.home).queued)
    os.utime(clip, (9, 9))
    watch.tick()
    assert watch.tick() == [("clip.mp4", "balanced")]
    os.utime(clip, (10, 10))
    watch.tick()
    assert watch.tick() == []
    assert "not run again" in watch.told("clip.mp4")
    assert len(read_ledger(watch.home).queued) == 2


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(["a.toml", "z.zip", "p/1.jpg", "v.mp4", "../uploads.json"]), data=st.binary())
def test_no_bytes_in_any_file_stop_a_good_upload(tmp_path_factory, kind, data):
    watch = Watch(tmp_path_factory.mktemp("home"))
    put_video(watch.folder / "a.mp4", 1)
    put_video(watch.folder / "good.mp4", 2)
    (watch.folder / kind).parent.mkdir(exist_ok=True)
    (watch.folder / kind).write_bytes(data)
    watch.tick()
    assert ("good.mp4", "balanced") in watch.tick()


def test_a_second_bad_file_of_a_name_replaces_nothing(watch):
    for text in ("one", "two"):
        (watch.folder / "notes.txt").write_text(text)
        watch.tick()
        watch.tick()
    place = watch.folder / "rejected"
    assert (place / "notes.txt").read_text() == "one"
    assert (place / "notes-2.txt").read_text() == "two"


def test_odd_names_become_safe_keys(watch):
    put_video(watch.folder / EMOJI, 1)
    put_video(watch.folder / "\N{TEDDY BEAR}.mp4", 2)
    put_video(watch.folder / "-rf ..mp4", 3)
    watch.tick()
    assert len(watch.tick()) == 3
    queued = read_ledger(watch.home).queued.values()
    keys = [each.request.capture.rsplit("-", 1)[0] for each in queued]
    assert sorted(keys) == ["bar", "capture", "rf"]


def test_a_name_that_is_no_text_is_rejected(watch):
    put_video(watch.folder / "a.mp4").rename(os.fsdecode(os.fsencode(watch.folder) + b"/\xff.mp4"))
    watch.tick()
    assert watch.tick() == []
    assert any("Rename" in path.read_text() for path in (watch.folder / "rejected").glob("*.txt"))


def test_orders_that_were_lost_are_given_again_with_the_same_key(watch):
    put_video(watch.folder / "a.mp4", 1)
    watch.tick()
    assert watch.tick(delivered=False) == [("a.mp4", "balanced")]
    put_video(watch.folder / "b.mp4", 2)
    assert watch.tick(delivered=False) == [("a.mp4", "balanced")]
    assert sorted(watch.tick()) == [("a.mp4", "balanced"), ("b.mp4", "balanced")]
    assert watch.tick() == []
    assert len(read_ledger(watch.home).queued) == 2


def test_an_order_is_given_again_though_its_upload_is_gone(watch):
    clip = put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick(delivered=False)
    move_out(clip)
    assert watch.tick() == [("clip.mp4", "balanced")]


def test_without_a_cursor_only_the_latest_orders_are_given_again(watch):
    for number in (1, 2):
        put_video(watch.folder / f"{number}.mp4", number)
        watch.tick()
        watch.tick()
    watch.confirmed = None
    assert watch.tick() == [("2.mp4", "balanced")]
    assert watch.tick() == []


def test_a_ledger_that_was_lost_loses_no_upload(watch):
    for number in (1, 2):
        put_video(watch.folder / f"{number}.mp4", number)
        watch.tick()
        watch.tick()
    (watch.home.root / "uploads.json").unlink()
    put_video(watch.folder / "3.mp4", 3)
    watch.tick()
    assert sorted(watch.tick()) == [(f"{number}.mp4", "balanced") for number in (1, 2, 3)]
    assert watch.tick() == []


def test_a_burst_is_read_over_several_ticks(watch):
    for number in range(4):
        put_video(watch.folder / f"{number}.mp4", number)
    watch.tick()
    ticks = 0
    taken: list = []
    while len(taken) < 4:
        found = watch.tick(work_s=0.0 if ticks == 0 else 1000.0)
        assert "waits for its turn" in watch.told("3.mp4") or ticks
        taken += found
        ticks += 1
        assert ticks < 4
    assert sorted(taken) == [(f"{number}.mp4", "balanced") for number in range(4)]


def test_a_file_that_changes_while_it_is_read_is_not_taken(watch, monkeypatch):
    clip = put_video(watch.folder / "clip.mp4")
    watch.tick()
    read = reading.check

    def grow(paths, options):
        found = read(paths, options)
        with clip.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(reading, "check", grow)
    assert watch.tick() == []
    assert "changed while it was read" in watch.told("clip.mp4")


def test_what_takes_longer_than_a_tick_is_read_once_and_taken_later(watch, monkeypatch):
    put_video(watch.folder / "big.mp4", 1)
    put_video(watch.folder / "small.mp4", 2)
    read, may_end, calls = reading.check, threading.Event(), []

    def slow(paths, options):
        calls.append(paths[0].name)
        may_end.wait(60)
        return read(paths, options)

    monkeypatch.setattr(reading, "check", slow)
    watch.tick()
    assert [watch.tick(work_s=0.2), watch.tick(work_s=0.2)] == [[], []]
    assert "is being read" in watch.told("big.mp4")
    assert "waits for its turn" in watch.told("small.mp4")
    may_end.set()
    assert watch.tick() == [("big.mp4", "balanced"), ("small.mp4", "balanced")]
    assert calls == ["big.mp4", "small.mp4"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EIO])
@pytest.mark.fault("watched folder, full disk")
def test_a_file_that_cannot_be_read_now_waits_and_stops_nothing(watch, monkeypatch, number):
    put_video(watch.folder / "a.mp4", 1)
    put_video(watch.folder / "b.mp4", 2)
    digest = content.file_sha256

    def forbidden(path):
        if path.name == "a.mp4":
            raise OSError(number, os.strerror(number), str(path))
        return digest(path)

    monkeypatch.setattr(content, "file_sha256", forbidden)
    watch.tick()
    assert watch.tick() == [("b.mp4", "balanced")]
    assert "waits since" in watch.told("a.mp4")
    assert watch.rejected() == set()
    monkeypatch.setattr(content, "file_sha256", digest)
    watch.now += AGAIN_S
    assert watch.tick() == [("a.mp4", "balanced")]


def test_a_ledger_of_orders_is_read_as_requests(watch):
    """As it was written before every way in made the same request."""
    put_video(watch.folder / "clip.mp4")
    watch.tick()
    watch.tick()
    path = watch.home.root / "uploads.json"
    ledger = json.loads(path.read_text())
    now = read_ledger(watch.home)
    ledger["orders"] = {
        key: {
            "run_key": key,
            "upload": queued["request"]["upload"],
            "capture": queued["request"]["capture"],
            "mode": queued["request"]["mode"],
            "config": queued["request"]["tables"],
            "generation": queued["generation"],
        }
        for key, queued in ledger.pop("queued").items()
    }
    path.write_text(json.dumps(ledger))
    assert read_ledger(watch.home) == now
    assert watch.tick() == []
    watch.confirmed = 0
    assert watch.tick() == [("clip.mp4", "balanced")]


def test_content_that_was_registered_elsewhere_stays_that_capture(watch, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(watch.home.root))
    clip = put_video(tmp_path / "mine.mp4")
    registered = accept([clip], CaptureOptions(), "named")
    shutil.copyfile(clip, watch.folder / "copy.mp4")
    watch.tick()
    assert watch.tick() == [("copy.mp4", "balanced")]
    (queued,) = read_ledger(watch.home).queued.values()
    assert queued.request.capture == registered.capture
    request = json.loads(upload_files(watch.home, "named")["request.json"].read_text())
    assert request["inputs"] == [str(clip)]


def test_a_capture_whose_files_changed_is_made_of_those_that_have_its_content(watch, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(watch.home.root))
    clip = put_video(tmp_path / "mine.mp4")
    accept([clip], CaptureOptions(), "named")
    shutil.copyfile(clip, watch.folder / "copy.mp4")
    put_video(clip, 5)
    watch.tick()
    assert watch.tick() == [("copy.mp4", "balanced")]
    request = json.loads(upload_files(watch.home, "named")["request.json"].read_text())
    assert request["inputs"] == [str(watch.folder / "copy.mp4")]
