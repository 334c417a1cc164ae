"""Cuts the times of all files below a folder to whole seconds: `python whole_seconds.py FOLDER`."""

import os
import sys
from pathlib import Path

for path in Path(sys.argv[1]).rglob("*"):
    seconds = int(path.stat().st_mtime)
    os.utime(path, (seconds, seconds))
