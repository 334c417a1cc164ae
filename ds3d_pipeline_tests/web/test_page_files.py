"""The page's own files: languages, no inline script, nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from typing import get_args

import pytest

from ds3d_pipeline.names import MODES, STAGES
from ds3d_pipeline.report.templates import PAGE
from ds3d_pipeline.web.status import State

LANGUAGES = sorted((PAGE / "i18n").glob("*.json"))
SCRIPTS = sorted(PAGE.glob("*.js"))


def keys(table, before=""):
    """Every key, such as jobs.queued, with the {values} of its sentence."""
    found = {}
    for name, entry in table.items():
        path = f"{before}{name}"
        found |= keys(entry, f"{path}.") if isinstance(entry, dict) else {path: values_in(entry)}
    return found


def values_in(sentence):
    return sorted(re.findall(r"\{(\w+)\}", sentence))


def words(language="en"):
    return json.loads((PAGE / "i18n" / f"{language}.json").read_text(encoding="utf-8"))


def test_english_and_german_are_there():
    assert {path.stem for path in LANGUAGES} >= {"en", "de"}


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_every_language_has_every_sentence_with_the_same_values_in_it(path):
    assert keys(words(path.stem)) == keys(words())


def test_every_sentence_that_the_page_asks_for_is_there():
    known = keys(words())
    asked = set()
    for script in SCRIPTS:
        asked |= set(re.findall(r'\bt\(\s*"([\w.]+)"', script.read_text(encoding="utf-8")))
    asked |= set(re.findall(r'data-i18n(?:-placeholder|-label)?="([\w.]+)"', index()))
    assert len(asked) > 50
    assert asked - known.keys() == set()


def test_every_state_stage_and_mode_has_its_words():
    table = words()
    states = set(get_args(State))
    assert states - {"finished", "failed"} <= table["jobs"].keys()
    assert states | {"ok", "degraded"} <= table["badges"].keys()
    assert set(STAGES) <= table["stages"].keys()
    assert set(MODES) <= table["modes"].keys()


def test_every_word_of_the_guide_and_every_refusal_of_a_camera_has_its_sentence():
    score, guide = ((PAGE / f"{name}.js").read_text(encoding="utf-8") for name in ("guide_score", "guide"))
    said = set(re.findall(r'"([a-z]+)"', score[score.index("createJudge") :]))
    refusals = set(re.findall(r'"(\w+Error)"', guide))
    assert said == {"start", "blank", "blurred", "far", "still", "keep"}
    assert len(refusals) == 3
    assert (said | refusals) - words()["guide"].keys() == set()


def index():
    return (PAGE / "index.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Every tag with its attributes, and the text within scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inline, self._in_script = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._in_script = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        self.inline += data if self._in_script else ""


def test_nothing_on_the_page_is_inline_or_from_elsewhere():
    tags = Tags(index())
    assert tags.inline.strip() == ""
    for _, attributes in tags.found:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in {"src", "href"} & attributes.keys():
            assert attributes[name].startswith(("/page/", "data:,"))


def test_no_script_of_ours_writes_html_or_asks_another_host():
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            path.name
        )
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)[a-z]", text), path.name
