"""Runs one part.

    python -m benchmarks.gpu PART [--dry] [--seconds 120]

Exit code 1 where it failed; its row then holds the first line of the error.
"""

from __future__ import annotations

import argparse
import time
import traceback

from benchmarks.gpu.parts import PARTS, Setting
from benchmarks.gpu.table import first_line, tell


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--seconds", type=float, default=300.0)
    args = parser.parse_args()
    try:
        PARTS[args.part](Setting(dry=args.dry, deadline=time.monotonic() + args.seconds))
    except Exception as error:
        traceback.print_exc()
        tell(args.part, "failed", first_line(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
