"""`ds3d doctor`: what this machine has, and which backend each stage will use, and why."""

from __future__ import annotations

import shutil

from rich.console import Console
from rich.table import Table

from ds3d_pipeline.containers.engine import describe_engine
from ds3d_pipeline.depth.learned.models import can_estimate
from ds3d_pipeline.depth.learned.runtime import describe_runtime
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.programs.limits import allowed_cpus
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline.stages.table import ladders
from ds3d_pipeline.storage.home import find_home


def machine_facts() -> dict[str, str]:
    """Cores, memory, disk, GPU driver, Docker, ONNX Runtime with what it runs on, and its model, in words."""
    import psutil

    home = find_home()
    existing = next(p for p in (home.root, *home.root.parents) if p.exists())
    return {
        "cores": str(allowed_cpus()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "free disk": f"{shutil.disk_usage(existing).free / 1e9:.1f} GB at {home.root}",
        "GPU": "NVIDIA driver found" if shutil.which("nvidia-smi") else "no NVIDIA driver: the CPU is used",
        "Docker": describe_engine(),
        "ONNX Runtime": describe_runtime(),
        "depth model": can_estimate(MODES[DEFAULT_MODE].depth_maps) or "there and whole",
    }


def tell_machine() -> None:
    """Prints the facts and the plan of the default mode."""
    console = Console()
    facts = Table(box=None, pad_edge=False, show_header=False)
    for name, value in machine_facts().items():
        facts.add_row(name, value)
    console.print(facts)
    plan = Table(box=None, pad_edge=False)
    for name in ("stage", "backend", "passed over"):
        plan.add_column(name)
    for stage in ladders():
        found = plan_ladder(stage, MODES[DEFAULT_MODE].options(stage))
        why = "; ".join(f"{a.backend}: {a.reason}" for a in found.passed_over)
        plan.add_row(stage, " then ".join(found.rungs), why)
    console.print(plan)
