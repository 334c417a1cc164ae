import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds3d_pipeline.capture.names import is_hidden, is_name, natural_key, printable, slug


def test_numbers_sort_by_value():
    names = ["a10.jpg", "b1.jpg", "A2.jpg", "a1/3.jpg", "10.jpg", "9.jpg", "a1.jpg", "x007.jpg", "x7.jpg"]
    ordered = sorted(names, key=natural_key)
    assert ordered.index("9.jpg") < ordered.index("10.jpg")
    assert ordered.index("a1.jpg") < ordered.index("A2.jpg") < ordered.index("a10.jpg")
    assert sorted(reversed(names), key=natural_key) == ordered


def test_foreign_digits_do_not_break_sorting():
    assert len(sorted(["a².jpg", "a٣.jpg", "a1.jpg"], key=natural_key)) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My Château (2)", "my-chateau-2"),
        ("Straße", "strasse"),
        ("--rf", "rf"),
        ("..", "capture"),
        ("", "capture"),
        ("日本🎥", "capture"),
        (".hidden.name.", "hidden.name"),
        ("a/b\\c\nd'\"$(x)", "a-b-c-d-x"),
        ("fox", "fox"),
    ],
)
def test_slugs(text, expected):
    assert slug(text) == expected


@pytest.mark.parametrize("text", ["x" * 200, "a" * 47 + "-b", "é" * 60, "ﷺ" * 9, "a.-._" * 30])
def test_slugs_are_short_and_safe(text):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,46}[a-z0-9])?", slug(text))


def test_hidden_names():
    assert is_hidden("__MACOSX/a.jpg")
    assert is_hidden("a/.b/c.jpg")
    assert is_hidden("._a.jpg")
    assert not is_hidden("a/b.c.jpg")


def test_printable_names_can_be_encoded():
    assert printable("a\udcffb\n.jpg").encode() == "a\ufffdb\ufffd.jpg".encode()
    assert printable("日本 🎥.jpg") == "日本 🎥.jpg"


BAD = [
    "",
    "con",
    "nul",
    "aux.txt",
    "com1",
    "a.",
    "a-",
    "_x",
    ".hidden",
    ".part",
    ".x.12345678.old",
    "A",
    "a/b",
]


@pytest.mark.parametrize("text", [*BAD, "a" * 58, "a b", "-a", "..", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
@pytest.mark.fault("name of a Windows device", "hidden name")
def test_what_cannot_be_a_folder_everywhere_names_no_capture(text):
    assert not is_name(text)


@pytest.mark.parametrize("text", ["a", "fox", "fox-12345678", "a.b_c", "console", "nul-1", "com10", "a" * 57])
def test_ordinary_names_are_names(text):
    assert is_name(text)


@given(st.text() | st.sampled_from([*BAD, "CON.jpg", "prn.", "nul.a.b"]))
def test_names_made_from_files_obey_the_same_rule(text):
    assert is_name(slug(text))
    assert is_name(f"{slug(text)}-12345678")
