"""A real Docker engine: whether it is there, images built on it, and what of a name is left on it."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*words: object, timeout: float = 600, env: dict[str, str] | None = None) -> str:
    """Runs a command to its end and returns what it printed; fails with its last lines."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | (env or {}),
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def succeeds(*words: str) -> bool:
    return shutil.which(words[0]) is not None and not subprocess.run(words, capture_output=True).returncode


def why_no_engine() -> str | None:
    """None where a Docker engine answers, else why not."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    return None if succeeds("docker", "info") else "no Docker engine answers"


def why_no_compose() -> str | None:
    """None where a stack can be started, else why not."""
    return why_no_engine() or (None if compose_command() else "there is no Compose")


def compose_command() -> tuple[str, ...]:
    """Compose 2, else 1.29, else nothing."""
    known = (("docker", "compose"), ("docker-compose",))
    return next((words for words in known if succeeds(*words, "version")), ())


def build_image(tag: str, dockerfile: str, *words: str) -> str:
    """Builds an image of the repository; a second time it comes from the engine's cache."""
    # Without its plugin, BuildKit is refused rather than replaced by the builder that is there.
    env = {} if succeeds("docker", "buildx", "version") else {"DOCKER_BUILDKIT": "0"}
    # The host's network: a second engine on this machine takes the first one's default bridge away.
    run(
        "docker",
        "build",
        "--network",
        "host",
        "-t",
        tag,
        "-f",
        dockerfile,
        *words,
        ".",
        timeout=1200,
        env=env,
    )
    return tag


def labelled(kind: str, project: str) -> list[str]:
    """The containers (all of them), volumes or networks of a Compose project."""
    words = ["docker", "ps", "-a"] if kind == "container" else ["docker", kind, "ls"]
    return run(*words, "-q", "--filter", f"label=com.docker.compose.project={project}").split()
