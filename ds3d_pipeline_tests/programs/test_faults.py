"""Errors of the machine in words."""

import errno
import os
import sqlite3
import tempfile

import numpy as np
import pytest

from ds3d_pipeline.errors import InputError, StageError
from ds3d_pipeline.programs.faults import KNOWN, disk_full, explain, stops_all
from ds3d_pipeline_tests.disks import small_disk


@pytest.mark.parametrize("number", sorted(KNOWN))
def test_every_known_error_has_a_cause_and_a_remedy(number):
    known = explain(OSError(number, os.strerror(number), "/some/file"))
    assert known is not None
    assert known.cause.endswith(".")
    assert known.remedy.endswith(".")
    assert "{" not in known.cause


def test_permission_problems_say_permissions(tmp_path):
    assert str(explain(PermissionError(errno.EACCES, "", "/x"))).startswith("Permission denied: /x. Change")


def test_without_a_folder_for_temporary_files_it_is_not_the_current_one_that_is_missing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()
    assert str(explain(caught.value)).startswith("No folder for temporary files can be written to.")


def test_the_cause_of_an_error_is_found_below_what_wraps_it():
    wrapped = RuntimeError("a step failed")
    wrapped.__cause__ = OSError(errno.EROFS, "Read-only file system", "/x")
    assert "/x is on a read-only file system." in str(explain(wrapped))
    assert stops_all(wrapped)


def test_what_happened_before_is_no_cause():
    bug = KeyError("a bug of ours")
    bug.__context__ = OSError(errno.EROFS, "Read-only file system", "/x")
    assert explain(bug) is None


def test_a_sentence_of_ours_is_kept():
    told = StageError("Cause.", "Remedy.")
    wrapped = RuntimeError("step")
    wrapped.__cause__ = told
    assert explain(wrapped) is told


@pytest.mark.parametrize(
    "bug", [KeyError("x"), ValueError("x"), FileNotFoundError(2, "", "/x"), OSError("x")]
)
def test_a_bug_is_not_explained(bug):
    assert explain(bug) is None
    assert not stops_all(bug)


def test_numpy_says_that_a_disk_is_full_without_a_number(tmp_path):
    with small_disk(tmp_path / "disk", 100) as disk, pytest.raises(OSError, match="requested") as caught:
        np.zeros(1_000_000).tofile(disk / "x")
    assert caught.value.errno is None
    assert "The disk is full" in str(explain(caught.value, [tmp_path]))
    assert stops_all(caught.value)


def test_a_full_disk_is_named_where_it_can_be_found():
    assert "The disk is full" in str(explain(OSError(errno.ENOSPC, "", None)))
    assert disk_full([]).remedy.startswith("Free some space")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SQLITE_FULL", "disk is full"),
        ("SQLITE_NOTADB", "is damaged"),
        ("SQLITE_CORRUPT_INDEX", "is damaged"),
        ("SQLITE_CANTOPEN", "cannot be opened for writing"),
        ("SQLITE_READONLY_DIRECTORY", "cannot be opened for writing"),
        ("SQLITE_BUSY", "in use by another program"),
    ],
)
def test_errors_of_the_record_of_runs(tmp_path, name, text):
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorname = name
    assert text in str(explain(error, [tmp_path]))


def test_an_error_of_sql_is_a_bug(tmp_path):
    with sqlite3.connect(":memory:") as connection, pytest.raises(sqlite3.Error) as caught:
        connection.execute("select nothing from nowhere")
    connection.close()
    assert explain(caught.value, [tmp_path]) is None


def test_memory_depth_and_names():
    assert "not enough memory" in str(explain(MemoryError()))
    assert not stops_all(MemoryError())
    assert isinstance(explain(RecursionError()), InputError)
    with pytest.raises(UnicodeEncodeError) as caught:
        "photo\udcff.jpg".encode()
    assert "photo\\udcff.jpg" in str(explain(caught.value))
