"""Node and what npm installs, for tests that read our files with others' programs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def node_and_npm() -> tuple[Path, Path]:
    """The programs: those beside Python, else of the machine; the test is skipped where there are none."""
    beside = Path(sys.executable).parent
    found = [shutil.which(tool, path=beside) or shutil.which(tool) for tool in ("node", "npm")]
    if None in found:
        pytest.skip("no node and npm here")
    node, npm = (Path(tool) for tool in found if tool)
    return node, npm


def install(folder: Path, package: str) -> Path:
    """The folder with `package`, NAME@VERSION, in its node_modules; skips the test without a registry."""
    _, npm = node_and_npm()
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", package]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install {package}: {done.stderr.strip()[-200:]}")
    return folder
