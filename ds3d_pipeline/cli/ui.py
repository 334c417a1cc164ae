"""`ds3d ui`: Dagster's UI on the home, from any folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from ds3d_pipeline.defs.instance import open_instance
from ds3d_pipeline.names import DEFINITIONS
from ds3d_pipeline.storage.home import prepare_home
from ds3d_pipeline.web.daemons import daemon_beats

HOST = "127.0.0.1"


def become_ui(port: int, say: Callable[[str], None]) -> NoReturn:
    """Becomes `dagster dev`, or the UI alone where a daemon runs already."""
    home = prepare_home()
    with open_instance(home) as instance:
        has_daemon = daemon_beats(home, instance, lambda: True)
    program = ["dagster_webserver"] if has_daemon else ["dagster", "dev"]
    say(f"Dagster's UI will be at http://{HOST}:{port} - press Ctrl-C to stop.")
    sys.stdout.flush()
    command = [sys.executable, "-m", *program, "-m", DEFINITIONS, "-h", HOST, "-p", str(port)]
    os.execv(sys.executable, command)
