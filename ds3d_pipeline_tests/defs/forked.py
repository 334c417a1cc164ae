"""Processes forked from a server: a run, and a step that the run asks for. Kept light, as each loads it."""

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ds3d_pipeline.defs.forking import end_with_parent, share_fork_server

HERE = "ds3d_pipeline_tests.defs.forked"


def context():
    """Of a server that loads this module alone."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([HERE])
    return forking


def step(pids: Connection, seconds: float) -> None:
    """Says what it is, and goes on for so long."""
    end_with_parent()
    pids.send((os.getpid(), os.getppid()))
    time.sleep(seconds)


def run(pids: Connection, seconds: float, server_dies: bool = False) -> None:
    """Asks for a step, and says of both what they are."""
    share_fork_server()
    parent = os.getppid()
    if server_dies:
        os.kill(parent, signal.SIGKILL)
        while os.getppid() == parent:
            time.sleep(0.01)
    mine, theirs = multiprocessing.Pipe()
    child = context().Process(target=step, args=(theirs, seconds))
    child.start()
    pids.send((os.getpid(), parent, *mine.recv()))
    child.join()


def start_run(seconds: float, server_dies: bool = False) -> tuple[BaseProcess, list[int]]:
    """The process of a run; the numbers of it and its parent, of its step and the step's parent."""
    mine, theirs = multiprocessing.Pipe()
    process = context().Process(target=run, args=(theirs, seconds, server_dies))
    process.start()
    return process, list(mine.recv())


def main() -> None:
    """Runs once; says all numbers, then waits for the run."""
    process, pids = start_run(float(sys.argv[1]), server_dies="server-dies" in sys.argv)
    sys.stdout.write(f"{pids}\n")
    sys.stdout.flush()
    process.join()


if __name__ == "__main__":
    from ds3d_pipeline_tests.defs import forked

    forked.main()
