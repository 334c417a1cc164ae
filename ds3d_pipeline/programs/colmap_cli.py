"""Shell scripts that run COLMAP's own command line, whatever its version, with nothing of ours beside it."""

from __future__ import annotations

SCRIPT, VERSION = "colmap.sh", "version.txt"

PREAMBLE = r"""#!/bin/sh
# sh colmap.sh INPUT OUTPUT: runs COLMAP on INPUT, into OUTPUT/scratch.
set -eu
input=$1 output=$2 scratch=$2/scratch gpu=${DS3D_GPU:-0}
colmap help 2>&1 | grep -m 1 "^COLMAP" >"$scratch/version.txt"
if colmap help 2>&1 | grep -q "without CUDA"; then gpu=0; fi

# Appends to the progress that the stage shows.
report_progress() {
    line='{"time": %s, "fraction": %s, "message": "%s"}\n'
    printf "$line" "$(date +%s)" "$1" "$2" >>"$output/progress.jsonl"
}

# run COMMAND NAME=VALUE... Of names that differ between versions, NAME|NAME=VALUE, the first that this COLMAP
# knows is taken; an option that it does not know at all is left to its default.
run() {
    command=$1 known=$(colmap "$1" -h 2>&1) left=$(($# - 1))
    shift
    while [ "$left" -gt 0 ]; do
        names=${1%%=*} value=${1#*=} left=$((left - 1))
        shift
        for name in $(echo "$names" | tr "|" " "); do
            case $known in *"--$name "*)
                set -- "$@" "--$name" "$value"
                break
                ;;
            esac
        done
    done
    colmap "$command" "$@"
}
"""

Options = dict[str, object]
"""Values by name, or by names of several versions with `|` between; text may name the script's variables."""


def command_line(command: str, options: Options) -> str:
    """A line that runs one of COLMAP's commands."""
    words = [f'"{name}={value}"' for name, value in options.items()]
    return " \\\n    ".join([f"run {command}", *words])


def report_progress(fraction: float, message: str) -> str:
    """A line that appends to the stage's progress."""
    return f'report_progress {fraction} "{message}"'
