"""The watched folder under any order of events: every upload gets its runs, and none gets one twice."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.intake.watched.ledger import Ledger, QueuedRequest, Seen, read_ledger, write_ledger
from ds3d_pipeline.intake.watched.reading import Reader
from ds3d_pipeline.intake.watched.scan import scan
from ds3d_pipeline.intake.watched.timing import Pace
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.storage.home import Home
from ds3d_pipeline_tests.intake.watched.folder import QUIET_S, put_photos

NAMES = ("room", "fastest/room", "quality/hall", "cup")
texts = st.text(max_size=20)
numbers = st.integers(0, 2**31)
seen = st.builds(Seen, stamp=texts, settings=texts, since=st.floats(0, 4e9), sha256=texts, outcome=texts)
run_requests = st.builds(
    RunRequest,
    capture=texts,
    inputs=st.lists(texts, max_size=3).map(tuple),
    mode=st.sampled_from(sorted(MODES)),
    output=texts.map(Path),
    tables=st.dictionaries(texts, st.dictionaries(texts, st.booleans() | numbers | texts), max_size=3),
    prefer=st.dictionaries(texts, texts, max_size=3),
    source=st.just("watched_folder"),
    upload=texts,
)
queued_requests = st.builds(QueuedRequest, run_key=texts, generation=numbers, request=run_requests)
ledgers = st.builds(
    Ledger,
    generation=numbers,
    seen=st.dictionaries(texts, seen, max_size=3),
    queued=st.dictionaries(texts, queued_requests, max_size=3),
    rejected=st.lists(texts, max_size=3).map(tuple),
)


@given(ledgers)
def test_a_ledger_comes_back_as_it_was(scratch, ledger):
    home = Home(root=scratch, storage=str(scratch))
    write_ledger(home, ledger)
    assert read_ledger(home) == ledger


class Folder(RuleBasedStateMachine):
    """A folder that people change while a daemon looks at it, dies, and forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.home = Home(root=self.root, storage=str(self.root / "storage"))
        self.folder = self.root / "uploads"
        self.folder.mkdir()
        self.now, self.confirmed, self.reader = 1000.0, None, Reader()
        self.there: dict[str, int] = {}
        self.offered: set[tuple[int, str]] = set()
        self.started: dict[str, tuple[str, str]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @rule(name=st.sampled_from(NAMES), content=st.integers(0, 3))
    def put(self, name, content):
        shutil.rmtree(self.folder / name, ignore_errors=True)
        put_photos(self.folder / name, count=1 + content % 2, seed=content)
        self.there[name] = content
        self.offered.add((content, mode_of(name)))

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def take_away(self, data):
        name = data.draw(st.sampled_from(sorted(self.there)))
        shutil.rmtree(self.folder / name)
        del self.there[name]

    @rule(pause_s=st.sampled_from([1.0, QUIET_S, 5 * QUIET_S]))
    def tick(self, pause_s):
        """The daemon looks, starts the runs, and notes how far it is."""
        self.start(self.look(pause_s))

    @rule()
    def die_before_anything_started(self):
        self.look(QUIET_S)
        self.reader = Reader()

    @rule()
    def die_before_the_cursor_was_noted(self):
        found = self.look(QUIET_S)
        self.start(found, noted=False)
        self.reader = Reader()

    @rule()
    def forget_the_cursor(self):
        self.confirmed = None

    @rule()
    def lose_the_ledger(self):
        (self.root / "uploads.json").unlink(missing_ok=True)

    @rule()
    def come_to_rest(self):
        """Three quiet looks: by then everything that is there has its run."""
        for _ in range(3):
            self.tick(QUIET_S + 1)
        assert self.look(QUIET_S + 1).queued == ()
        expected = {(content, mode_of(name)) for name, content in self.there.items()}
        captures = {content: set() for content, _ in expected}
        for name, content in self.there.items():
            outcome = read_ledger(self.home).seen[name].outcome
            assert "capture" in outcome
            captures[content].add(outcome.split("capture ")[1].split(":")[0].split(",")[0])
        assert all(len(found) == 1 for found in captures.values()), "one content is one capture"
        runs = set(self.started.values())
        assert {(*captures[content], mode) for content, mode in expected} <= runs

    @invariant()
    def never_more_runs_than_contents_and_modes(self):
        assert len(self.started) <= len(self.offered)
        assert len(set(self.started.values())) == len(self.started)

    def look(self, pause_s: float):
        self.now += pause_s
        pace = Pace(quiet_s=QUIET_S, work_s=1000.0, clock=lambda: self.now)
        return scan(self.home, self.folder, self.confirmed, pace, self.reader)

    def start(self, found, *, noted: bool = True) -> None:
        """As Dagster does: a run key that it knows starts nothing."""
        for queued in found.queued:
            self.started.setdefault(queued.run_key, (queued.request.capture, queued.request.mode))
        if noted:
            self.confirmed = found.generation


def mode_of(name: str) -> str:
    folder, _, rest = name.partition("/")
    return folder if rest else "balanced"


class TestFolder(Folder.TestCase):
    settings = settings(max_examples=25, stateful_step_count=20)
