"""How right the time left is that a run shows: the median and the worst error for each stage.

    python benchmarks/clock.py record RUN.json HOME INPUT... [--mode fastest]
    python benchmarks/clock.py replay RUN.json...

`record` reconstructs a capture in HOME and keeps what its stages wrote of their progress, with times.
`replay` shows each recorded run what it would have shown then, once a percent of each stage after its first
tenth: with no past, and with the past of all other runs given. Errors are in percent of the time that was
truly left; stages of less than ten seconds are left out. A machine with other work to do is slower at one
moment than at the next, which nobody can foresee: record where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3d_pipeline.execution.costs import MADE, Workload
from ds3d_pipeline.execution.forecast import expected_seconds, run_state
from ds3d_pipeline.execution.history import Timing, timing_of
from ds3d_pipeline.execution.journal import reached_by
from ds3d_pipeline.execution.progress import StageState, report_of
from ds3d_pipeline.stages.modes import MODES

DS3D = (sys.executable, "-c", "from ds3d_pipeline.cli.main import main; raise SystemExit(main())")
EVERY_S = 0.15
FIRST_TENTH = 10
SHORTEST_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """A recorded run."""

    name: str
    timing: Timing
    stages: Mapping[str, Mapping[str, Any]]
    """By name: start and end in seconds since 1970, and the lines of progress."""

    @property
    def workload(self) -> Workload:
        """What was known once its keyframes were chosen."""
        known = self.timing
        return Workload(
            photos=known.photos,
            size_wh=known.size_wh,
            frames=known.frames,
            options=vars(MODES[known.mode]),
            cores=os.cpu_count() or 1,
        )


def record(path: Path, home: Path, words: Sequence[str]) -> None:
    """Runs `ds3d reconstruct` and writes what was seen of it."""
    output = home / "recorded"
    command = [*DS3D, "reconstruct", *words, "--output", str(output)]
    process = subprocess.Popen(command, env=os.environ | {"DAGSTER_HOME": str(home)})
    stages: dict[str, dict[str, Any]] = {}
    while process.poll() is None:
        for attempts in home.glob("work/*/*/attempts.json"):
            look(attempts, stages.setdefault(attempts.parent.name, {"lines": []}))
        time.sleep(EVERY_S)
    metrics = max(output.glob("*/metrics.json"), key=lambda found: found.stat().st_mtime)
    path.write_text(json.dumps({"metrics": json.loads(metrics.read_bytes()), "stages": stages}))


def look(attempts: Path, seen: dict[str, Any]) -> None:
    """Takes down what is new of a stage; its files may go at any moment."""
    try:
        last, changed = json.loads(attempts.read_bytes())[-1], attempts.stat().st_mtime
        if last["outcome"] == "started":
            seen["start"] = changed
            text = (attempts.parent / "output" / "progress.jsonl").read_text(encoding="utf-8")
            seen["lines"] = [json.loads(line) for line in text.split("\n")[:-1] if line]
        elif last["outcome"] == "ok":
            seen.setdefault("end", changed)
    except (OSError, ValueError, IndexError):
        return


def read_run(path: Path) -> Run:
    """What `record` wrote. Raises ValueError for a run without 3D."""
    content = json.loads(path.read_bytes())
    timing = timing_of(content["metrics"])
    if timing is None:
        raise ValueError(f"{path} is no run that finished.")
    made = {stage: seen for stage, seen in content["stages"].items() if "start" in seen and "end" in seen}
    return Run(name=path.stem, timing=timing, stages=made)


def errors_of(run: Run, stage: str, past: Sequence[Timing]) -> list[float]:
    """Of the time left of a stage, in percent of the truth, once a percent of its time."""
    seen = run.stages[stage]
    expected = expected_seconds(run.timing.mode, run.workload, past)
    whole_s = seen["end"] - seen["start"]
    return [
        100 * abs(shown - left) / left
        for percent in range(FIRST_TENTH, 96)
        for left in [whole_s * (1 - percent / 100)]
        for shown in [_shown(run, stage, seen["end"] - left, expected)]
    ]


def _shown(run: Run, stage: str, now: float, expected: Mapping[str, float]) -> float:
    found = run_state(list(_states(run, stage, now)), expected)
    left = next(state.remaining_s for state in found.stages if state.stage == stage)
    return left or 0.0


def _states(run: Run, running: str, now: float) -> Iterator[StageState]:
    for stage in MADE:
        seen = run.stages.get(stage)
        if stage == running and seen:
            yield _running(stage, seen, now)
        elif seen and seen["end"] <= now:
            yield StageState(stage=stage, state="done", seconds=run.timing.seconds.get(stage, 0.0))
        else:
            yield StageState(stage=stage, state="waiting")


def _running(stage: str, seen: Mapping[str, Any], now: float) -> StageState:
    reached = reached_by([line for line in seen["lines"] if line["time"] <= now])
    compiling_s = reached.compiled_s + (now - reached.compiling_since if reached.compiling_since else 0.0)
    return StageState(
        stage=stage,
        state="running",
        fraction=reached.fraction,
        seconds=now - seen["start"],
        compiling_s=compiling_s,
        first=report_of(reached.first, seen["start"]),
        latest=report_of(reached.latest, seen["start"]),
    )


def replay(runs: Sequence[Run]) -> None:
    """Prints a row a stage for the runs with no past, and with that of the others."""
    print(f"{'stage':<12} runs    no past: median   worst  with a past: median   worst")
    for stage in MADE:
        alone = _all_errors(runs, stage, with_past=False)
        known = _all_errors(runs, stage, with_past=True)
        if alone:
            count = len(alone) // (96 - FIRST_TENTH)
            print(
                f"{stage:<12} {count:>4}  {statistics.median(alone):>13.0f} % {max(alone):>5.0f} %  "
                f"{statistics.median(known):>17.0f} % {max(known):>5.0f} %"
            )


def _all_errors(runs: Sequence[Run], stage: str, *, with_past: bool) -> list[float]:
    found: list[float] = []
    for run in runs:
        past = [other.timing for other in runs if other is not run] if with_past else []
        if stage in run.stages and run.timing.seconds[stage] >= SHORTEST_S:
            found += errors_of(run, stage, past)
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("run", type=Path)
    recording.add_argument("home", type=Path)
    replaying = commands.add_parser("replay")
    replaying.add_argument("runs", type=Path, nargs="+")
    args, words = parser.parse_known_args()
    if args.command == "record":
        record(args.run, args.home, words)
    else:
        replay([read_run(path) for path in args.runs])


if __name__ == "__main__":
    main()
