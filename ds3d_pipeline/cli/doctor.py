"""`ds3d doctor`: what this machine has, what is set on it, and which backends each stage will use."""

from __future__ import annotations

import shutil

from rich.table import Table

from ds3d_pipeline.cli.output import console
from ds3d_pipeline.containers.engine import describe_engine
from ds3d_pipeline.depth.learned.models import can_estimate
from ds3d_pipeline.depth.learned.runtime import describe_runtime
from ds3d_pipeline.names import DEFAULT_MODE
from ds3d_pipeline.programs.limits import allowed_cpus, allowed_memory_bytes
from ds3d_pipeline.programs.settings import SETTINGS, faults, read_text
from ds3d_pipeline.stages.modes import MODES
from ds3d_pipeline.stages.plan import plan_ladder
from ds3d_pipeline.stages.table import ladders
from ds3d_pipeline.storage.home import find_home
from ds3d_pipeline.storage.instance_file import describe_instance


def machine_facts() -> dict[str, str]:
    """Cores, memory, disk, GPU driver, Docker, ONNX Runtime with what it runs on, and its model, in words."""
    home = find_home()
    existing = next(p for p in (home.root, *home.root.parents) if p.exists())
    return {
        "cores": str(allowed_cpus()),
        "memory": f"{allowed_memory_bytes() / 1e9:.1f} GB",
        "free disk": f"{shutil.disk_usage(existing).free / 1e9:.1f} GB at {home.root}",
        "dagster.yaml": describe_instance(home.config),
        "GPU": "NVIDIA driver found" if shutil.which("nvidia-smi") else "no NVIDIA driver: the CPU is used",
        "Docker": describe_engine(),
        "ONNX Runtime": describe_runtime(),
        "depth model": can_estimate(MODES[DEFAULT_MODE].depth_maps) or "installed, checksum OK",
    }


def settings_in_use() -> dict[str, str]:
    """Every variable that is set, with its value, and what is wrong with it where it cannot be used."""
    wrong = dict(faults())
    named = ((setting.name, read_text(setting.name)) for setting in SETTINGS)
    return {
        name: f"{value!r} cannot be used. {wrong[name].remedy}" if name in wrong else value
        for name, value in named
        if value is not None
    }


def print_machine() -> None:
    """Prints the facts, the settings and the plan of the default mode."""
    screen = console()
    facts = Table(box=None, pad_edge=False, show_header=False)
    for name, value in (machine_facts() | settings_in_use()).items():
        facts.add_row(name, value)
    facts.columns[1].overflow = "fold"
    screen.print(facts)
    plan = Table(box=None, pad_edge=False)
    for name in ("stage", "backends, best first", "not available"):
        plan.add_column(name, overflow="fold")
    for stage in ladders():
        found = plan_ladder(stage, MODES[DEFAULT_MODE].options(stage))
        why = "; ".join(f"{a.backend}: {a.reason.removesuffix('.')}" for a in found.skipped)
        plan.add_row(stage, ", then ".join(found.rungs), why)
    screen.print(plan)
