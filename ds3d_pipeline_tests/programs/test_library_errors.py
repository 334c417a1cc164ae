"""What libraries print in a run goes into a file; what we say reaches the user."""

import sys

import pytest

from ds3d_pipeline.cli.output import complain
from ds3d_pipeline.programs.library_errors import library_errors_in


def test_a_library_is_kept_aside_and_a_sentence_is_shown(tmp_path, capsys):
    with library_errors_in(tmp_path / "errors"):
        sys.stderr.write("[SQL: INSERT]")
        complain("the disk is full.")
    assert capsys.readouterr().err == "ds3d: the disk is full.\n"
    (log,) = (tmp_path / "errors").iterdir()
    assert log.read_text() == "[SQL: INSERT]"


def test_nothing_said_leaves_no_file(tmp_path):
    with library_errors_in(tmp_path / "errors"):
        pass
    assert not (tmp_path / "errors").exists()


def _print_and_fail(folder) -> None:
    with library_errors_in(folder):
        sys.stderr.write("[SQL: INSERT]")
        raise ValueError("odd")


def test_an_error_goes_on_where_the_file_cannot_be_written(tmp_path):
    (tmp_path / "errors").touch()
    with pytest.raises(ValueError, match="odd"):
        _print_and_fail(tmp_path / "errors")
