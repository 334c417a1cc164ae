"""The bundle of others' JavaScript is what its lock says."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ds3d_pipeline

VENDOR = Path(ds3d_pipeline.__file__).parent / "web/page/vendor"
SOURCES = Path(__file__).parents[2] / "page"


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "versions.json"
    }


def versions() -> dict[str, dict]:
    return json.loads((VENDOR / "versions.json").read_text())


def test_the_bundles_are_those_of_the_table():
    assert digests(VENDOR) == {name: file["sha256"] for name, file in versions()["files"].items()}


def test_versions_are_pinned_exactly_and_are_those_of_the_lock():
    wanted = json.loads((SOURCES / "package.json").read_text())
    locked = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert version == locked[f"node_modules/{name}"]["version"] == versions()["packages"][name]


def test_every_library_in_the_bundles_has_its_licence():
    text = (VENDOR / "LICENSES.txt").read_text()
    for name, version in versions()["packages"].items():
        assert name == "esbuild" or f"{name} {version}\n" in text
    assert (
        text.count("Permission is hereby granted") + text.count("Redistribution and use")
        == text.count("-" * 80) + 1
    )


@pytest.mark.slow
def test_the_same_lock_builds_the_same_bytes(tmp_path):
    beside = Path(sys.executable).parent
    npm, node = (shutil.which(tool, path=beside) or shutil.which(tool) for tool in ("npm", "node"))
    if npm is None or node is None:
        pytest.skip("no npm here to build the page's bundle with")
    path = os.environ | {"PATH": os.pathsep.join([str(beside), os.environ["PATH"]])}
    sources = tmp_path / "page"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("node_modules"))
    for command in ([npm, "ci", "--ignore-scripts"], [node, "build.mjs", str(tmp_path / "vendor")]):
        done = subprocess.run(command, cwd=sources, env=path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    assert digests(tmp_path / "vendor") == digests(VENDOR)
