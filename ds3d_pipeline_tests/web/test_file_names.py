"""Names of uploads: whatever a client sends, it stays in its folder."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.web.file_names import NAME_BYTES, safe_name

HOSTILE = (
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "C:\\con",
    "nul.jpg",
    "a\x00b.jpg",
    "a\r\nSet-Cookie: x=1.jpg",
    "\u202egpj.exe",
    "<img src=x onerror=alert(1)>.jpg",
    "x" * 3000 + ".jpg",
    "",
    ".",
    "..",
    ".jpg",
    "   ",
    "\ud800.jpg".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
)


def is_safe(name):
    return (
        name == os.path.basename(name)
        and name not in ("", ".", "..")
        and name.isprintable()
        and len(name.encode()) <= NAME_BYTES
        and not set(name) & set('<>:"/\\|?*')
        and name == name.strip(" ").rstrip(".")
        and not name.startswith(".")
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name):
    assert is_safe(safe_name(name, set()))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_names_of_any_text_are_safe(name):
    assert is_safe(safe_name(name, set()))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=30))
def test_no_name_is_given_twice_whatever_the_capitals(names):
    taken: set[str] = set()
    made = [safe_name(name, taken).casefold() for name in names]
    assert len(set(made)) == len(names)


def test_an_ordinary_name_stays():
    assert safe_name("Mein Fuchs 3.JPG", set()) == "Mein Fuchs 3.JPG"


def test_the_suffix_of_a_long_name_stays():
    assert safe_name("ä" * 500 + ".jpeg", set()).endswith(".jpeg")


def test_a_second_file_of_a_name_gets_a_number():
    taken: set[str] = set()
    assert [safe_name(name, taken) for name in ("a.jpg", "A.jpg", "a.jpg")] == ["a.jpg", "A-2.jpg", "a-3.jpg"]
