"""Names and comments use the words of the field (docs/glossary.md), not metaphors of our own."""

import re
from pathlib import Path

import pytest

import ds3d_pipeline

OLD_WORDS = {
    "placed|placement|unplaced": "registered, unregistered",
    "seconded|lone|doubtful|believed": "supported, unsupported, uncertain, certain",
    "hollow": "sky",
    "fill_plain": "planar_prior",
    "levelling|levelled": "exposure compensation",
    "survey|sights?": "view quality, visibility map",
    "last_phase|lastphase": "final fine-tuning",
    "climbs?|climbed": "ladder state",
    "wish(es)?": "run request",
    "strays?|survivors?": "orphaned containers, dead runs",
    "lookers?": "visible_in",
}
"""Words that must not be part of a name or a comment, and what to write instead."""

OLD_VERBS = {
    "told|tells": "is reported, shows",
    "stands": "is",
    "lies": "is",
}
"""Verbs that must not be part of them either."""

ROOT = Path(ds3d_pipeline.__file__).parent


def lines_with(words, paths):
    """Every line, with its place, in which a word is whole, or whole between two underscores of a name."""
    pattern = re.compile(rf"(?<![a-z])({words})(?![a-z])", re.IGNORECASE)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize(("words", "better"), OLD_WORDS.items())
def test_old_words_are_gone_from_names_and_comments(words, better):
    assert lines_with(words, ROOT.rglob("*.py")) == [], f"write: {better}"


@pytest.mark.parametrize(("verbs", "better"), OLD_VERBS.items())
def test_old_verbs_are_gone_from_names_and_comments(verbs, better):
    assert lines_with(verbs, ROOT.rglob("*.py")) == [], f"write: {better}"


@pytest.mark.parametrize(
    "line", ["placed = 3", "is_placed()", "# Frames placed.", "LAST_PHASE = 1", "LastPhase()"]
)
def test_a_word_is_found_in_a_name_and_in_a_sentence(tmp_path, monkeypatch, line):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "one.py").write_text(f"ok = 1  # replaced\n{line}\n")
    assert lines_with("|".join(OLD_WORDS), [tmp_path / "one.py"]) == [f"one.py:2: {line}"]
