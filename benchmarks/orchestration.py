"""What a run costs beside its stages' own work.

    python benchmarks/orchestration.py INPUT... [--mode fastest]

Reconstructs the capture in a fresh home, as a user's first run does, and prints the seconds of every stage's
program and what the whole command took beyond their sum: start-up, Dagster, storage and publication.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DS3D = (sys.executable, "-c", "from ds3d_pipeline.cli.main import main; raise SystemExit(main())")


def timed_run(inputs: list[Path], mode: str, folder: Path) -> tuple[float, dict]:
    """Wall seconds of the command and the metrics that it wrote below `folder`."""
    words = ["reconstruct", *map(str, inputs), "--mode", mode, "--output", str(folder / "out")]
    environment = os.environ | {"DAGSTER_HOME": str(folder / "home")}
    start = time.perf_counter()
    subprocess.run([*DS3D, *words], env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    (told,) = (folder / "out").glob("*/metrics.json")
    return seconds, json.loads(told.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+", metavar="INPUT")
    parser.add_argument("--mode", default="fastest")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ds3d-benchmark-") as folder:
        seconds, told = timed_run(args.inputs, args.mode, Path(folder))
    print(f"{'stage':<12}{'backend':<16}{'seconds':>9}")
    for stage, entry in told["stages"].items():
        print(f"{stage:<12}{entry['backend'] or '-':<16}{entry['seconds']:9.1f}")
    own = sum(entry["seconds"] for entry in told["stages"].values())
    print(f"{'all stages':<28}{own:9.1f}")
    print(f"{'whole command':<28}{seconds:9.1f}")
    print(f"{'beside the stages':<28}{seconds - own:9.1f}")


if __name__ == "__main__":
    main()
