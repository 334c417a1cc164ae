"""File names that users gave, whatever is in them."""

import itertools
import os
import re

from hypothesis import example, given
from hypothesis import strategies as st

from ds3d_pipeline.capture.content import combined_sha256
from ds3d_pipeline.capture.inputs import Inputs, capture_id
from ds3d_pipeline.capture.names import is_hidden, natural_key, printable, slug

names = st.text(max_size=80) | st.from_regex(r"[A-Za-z]{0,3}[0-9]{0,6}[._ -]?[a-z0-9]{0,4}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(names)
@example("." * 60)
@example("a" * 47 + "--b")
def test_slugs_are_short_and_safe(name):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,46}[a-z0-9])?", slug(name))


@given(names)
def test_a_slug_is_its_own_slug(name):
    assert slug(slug(name)) == slug(name)


@given(names, digests)
def test_a_captures_name_is_a_slug_and_eight_digits(title, sha256):
    name = capture_id(Inputs(kind="photos", files=(), names=(), title=title), sha256)
    assert re.fullmatch(r"[a-z0-9._-]{1,48}-[0-9a-f]{8}", name)
    assert len(os.fsencode(name)) < 255


@given(st.lists(digests), st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_change_their_digest(digests, random):
    shuffled = random.sample(digests, len(digests))
    assert combined_sha256(shuffled) == combined_sha256(digests)


@given(st.binary(max_size=60).map(os.fsdecode))
def test_printable_names_can_be_written_anywhere(name):
    shown = printable(name)
    shown.encode("utf-8")
    assert shown.isprintable()
    assert printable(shown) == shown


@given(st.lists(names, max_size=12))
@example(["9" * 5000, "1" * 5000, "10"])
def test_any_names_can_be_sorted_and_none_is_equal_to_another(found):
    keys = sorted(natural_key(name) for name in set(found))
    assert len(keys) == len(set(found))
    assert all(first < second for first, second in itertools.pairwise(keys))


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.text("abc", max_size=3), st.integers(0, 5))
def test_numbers_sort_by_value_whatever_zeros_lead_them(first, second, prefix, zeros):
    one, two = f"{prefix}{'0' * zeros}{first}.jpg", f"{prefix}{second}.jpg"
    if first != second:
        assert (natural_key(one) < natural_key(two)) == (first < second)


@given(st.lists(st.text("ab.", min_size=1, max_size=4), min_size=1, max_size=4))
def test_hidden_is_whatever_lies_in_something_hidden(parts):
    assert is_hidden("/".join(parts)) == any(part.startswith(".") for part in parts)
