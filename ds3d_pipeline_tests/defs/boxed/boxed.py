"""A program that keeps the contract without our package, and ends in every way that a container can end."""

import argparse
import json
import os
import socket
import sys
import time
from array import array
from pathlib import Path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--backend")
    parser.add_argument("--options", type=Path)
    return parser.parse_args()


def can_write(folder: Path) -> bool:
    try:
        (folder / "written.txt").write_text("by the container")
    except OSError:
        return False
    return True


def has_network() -> bool:
    return [name for _, name in socket.if_nameindex()] != ["lo"]


def works(args: argparse.Namespace) -> None:
    """Tells what it is allowed to do."""
    sys.stdout.write("working\n")
    held = bytearray(60_000_000)
    time.sleep(2.5)
    told = {
        "wrote_input": can_write(args.input),
        "wrote_home": can_write(Path(os.environ["HOME"])),
        "network": has_network(),
        "user": [os.getuid(), os.getgid()],
        "options": json.loads(args.options.read_text()),
        "held": len(held),
        "coverage": 1.0,
    }
    (args.output / "depth").mkdir()
    (args.output / "depth" / "a.jpg.bin").write_bytes(b"2&2&1&" + array("f", [1.0] * 4).tobytes())
    (args.output / "made.txt").write_text("by a container")
    (args.output / "result.json").write_text(json.dumps(told))


def refuses(args: argparse.Namespace) -> None:
    told = {"kind": "stage", "cause": "Only 2 of 9 pixels match.", "remedy": "Film more slowly."}
    (args.output / "error.json").write_text(json.dumps(told))
    sys.exit(3)


def breaks(args: argparse.Namespace) -> None:
    raise RuntimeError("matrix is singular")


def old_driver(args: argparse.Namespace) -> None:
    sys.exit("RuntimeError: CUDA driver version is insufficient for CUDA runtime version")


def out_of_memory(args: argparse.Namespace) -> None:
    held = []
    while True:
        held.append(b"x" * 10_000_000)


def sleeps(args: argparse.Namespace) -> None:
    time.sleep(600)


if __name__ == "__main__":
    arguments = parse()
    globals()[arguments.backend](arguments)
