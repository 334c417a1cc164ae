"""What the rows say of the goals in `docs/gpu.md`: held, missed or not measured.

    python -m benchmarks.gpu.goals [--dry]

Rows of the dry run are judged too, so that this is seen working, but say nothing of the goals.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.gpu.table import read_rows, tell

CLOSE_DB = 0.1
CLOSE_PICTURE = 1 / 255
CPU_FOX_DB = 32.5
"""On held-out photos of the fox, by the CPU in 900 s."""
FOX_S = 60.0


def _judge(goal: str, verdict: str) -> None:
    tell("goal", goal, f"(tiny scene) {verdict}" if "--dry" in sys.argv else verdict)


def by_trainer(rows: list[dict[str, Any]]) -> dict[tuple[str, int], dict[str, float]]:
    """PSNR by trainer, of every scene and number of iterations that was reached."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for row in rows:
        if row.get("asked") and row["iterations"] == row["asked"]:
            found.setdefault((row["part"], row["asked"]), {})[row["what"]] = row["psnr_db"]
    return found


def tell_distance(rows: list[dict[str, Any]]) -> None:
    """The furthest that our trainer stays behind the better of gsplat's own."""
    behind = {
        place: max(value for name, value in scores.items() if name != "ours") - scores["ours"]
        for place, scores in by_trainer(rows).items()
        if "ours" in scores and len(scores) > 1
    }
    if not behind:
        _judge("quality", "not measured")
        return
    place, worst = max(behind.items(), key=lambda item: item[1])
    verdict = "held" if worst <= CLOSE_DB else "missed"
    where = f"{place[0]} at {place[1]}"
    told = f"at most {CLOSE_DB} dB behind gsplat, furthest {worst:.2f} dB ({where})"
    _judge("quality", f"{verdict}: {told}")


def tell_picture(rows: list[dict[str, Any]]) -> None:
    """Whether both rasterisers draw the same."""
    found = [row["largest"] for row in rows if "largest" in row]
    if not found:
        _judge("rasterisers", "not measured")
        return
    verdict = "held" if found[0] <= CLOSE_PICTURE else "missed"
    _judge("rasterisers", f"{verdict}: equal to 1/255, largest difference {255 * found[0]:.2f}/255")


def tell_speed(rows: list[dict[str, Any]]) -> None:
    """Whether our backend beats the CPU's long training in a fifteenth of its time."""
    found = [row for row in rows if row["part"] == "fox" and row["what"] == "ours" and row.get("asked")]
    fast = [row["psnr_db"] for row in found if row["seconds"] <= FOX_S + 1]
    if not fast:
        _judge("speed", "not measured")
        return
    verdict = "held" if max(fast) > CPU_FOX_DB else "missed"
    _judge("speed", f"{verdict}: fox above {CPU_FOX_DB} dB in {FOX_S:.0f} s, best {max(fast):.2f} dB")


if __name__ == "__main__":
    for judge in (tell_distance, tell_picture, tell_speed):
        judge(read_rows())
